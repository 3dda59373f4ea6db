"""Expressions over events: a part of CEL (https://cel.dev), compiled to closures.

`compile_expression` understands a text once, `Expression.evaluate` and `matches` are called for every event,
`Expression.split` tells what an index can answer, `index_value` names a value in it. The language is described in
docs/expressions.md.
"""

from stepwell.platform.expressions.errors import EvaluationError, ExpressionError, OutOfBudget
from stepwell.platform.expressions.expression import Conjuncts, Expression, Key, compile_expression
from stepwell.platform.expressions.indexing import index_value

__all__ = [
    "Conjuncts",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Key",
    "OutOfBudget",
    "compile_expression",
    "index_value",
]
