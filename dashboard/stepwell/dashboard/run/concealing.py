"""The page of a run for who may not see payloads."""

from dataclasses import replace

from stepwell.dashboard.run.steps import StepGroup, StepView
from stepwell.dashboard.run.view import RunPageView
from stepwell.dashboard.wording.failures import FailureView
from stepwell.dashboard.wording.payloads import Payload


def concealed(view: RunPageView) -> RunPageView:
    """The same without payloads: only how large they are is told."""
    first, last = (tuple(map(_group, groups)) for groups in (view.steps.first, view.steps.last))
    return replace(
        view,
        error=_error(view.error),
        input=_payload(view.input),
        output=_payload(view.output),
        history=view.history and view.history.without_payloads(),
        steps=replace(view.steps, first=first, last=last),
    )


def _group(view: StepGroup) -> StepGroup:
    return replace(view, steps=tuple(map(_step, view.steps)))


def _step(view: StepView) -> StepView:
    tries = tuple(replace(one, error=_error(one.error)) for one in view.tries)
    return replace(view, output=_payload(view.output), error=_error(view.error), tries=tries)


def _payload(payload: Payload | None) -> Payload | None:
    return payload and payload.without_content()


def _error(error: FailureView | None) -> FailureView | None:
    return error and error.without_payloads()
