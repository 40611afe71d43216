"""The semantics, executable: a brute-force interpreter of plans that every backend is compared
with.
"""

from astrafs.reference.interpreter import Interpreter, Question, evaluate_feature, evaluate_view

__all__ = ["Interpreter", "Question", "evaluate_feature", "evaluate_view"]
