"""What can be wrong with an expression, and what can go wrong when it meets values.

StepwellError
├── ExpressionError      the text is no expression; shows the place and says what to do
└── EvaluationError      a value did not suit what the expression does with it
    └── OutOfBudget      it needed more steps than one evaluation may take
"""

from stepwell.platform.errors import StepwellError

EXCERPT = 100
"""Characters of a long line that are shown around a mistake."""


class ExpressionError(StepwellError):
    """The text is no expression.

    Args:
        message: what is wrong, with the word, and what to do.
        column: where, in characters from the beginning of the text, from 1.
        text: the whole expression.
    """

    def __init__(self, message: str, column: int, text: str) -> None:
        super().__init__(message, column, text)
        self.message = message
        self.column = column
        self.text = text

    def __str__(self) -> str:
        line, position = _line_at(self.text, self.column - 1)
        return f"column {self.column}: {self.message}\n  {line}\n  {' ' * position}^"


class EvaluationError(StepwellError):
    """A value did not suit what the expression does with it.

    Args:
        message: what was wrong, with the value.
        column: where in the expression, from 1; 0 as long as it is not known.
    """

    def __init__(self, message: str, column: int = 0) -> None:
        super().__init__(message, column)
        self.message = message
        self.column = column

    def __str__(self) -> str:
        return f"column {self.column}: {self.message}" if self.column else self.message


class OutOfBudget(EvaluationError):
    """An evaluation needed more steps than it may take; `||` and `&&` do not get around it."""


class Mistake(Exception):
    """A mistake at a position, from 0, of a text that is known further out, where it becomes an `ExpressionError`."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position


def _line_at(text: str, position: int) -> tuple[str, int]:
    """The line that holds the position, or as much of it as fits, and the position in that."""
    begin = max(text.rfind("\n", 0, position) + 1, position - EXCERPT // 2)
    line = text[begin:].split("\n", 1)[0][:EXCERPT]
    return line.expandtabs(1), position - begin
