"""The HTTP server over :class:`astrafs.online.service.Online`: a small ASGI application."""
