"""Bulk jobs as JSON models."""

from dataclasses import asdict

from stepwell.platform.api.models.bulk import BulkFilter, BulkJob, BulkPreview, BulkRefusal, ErrorGroup
from stepwell.platform.api.views.run import run_summary
from stepwell.platform.bulk.job import Job, Refused
from stepwell.platform.bulk.preview import Preview
from stepwell.platform.bulk.wanted import Wanted


def job(found: Job) -> BulkJob:
    """A job, as it is now."""
    refused = sum(one.count for one in found.refused)
    return BulkJob(
        id=found.id,
        action=found.order.action,
        from_failed=found.order.from_failed,
        filter=_filter(found.order.wanted),
        rate=found.order.rate,
        by=found.by,
        state=found.state,
        problem=found.problem or None,
        created_at=found.created,
        ended_at=found.ended or None,
        searched=found.searched,
        total=max(found.total, found.searched),
        undecided=found.undecided,
        matched=found.matched,
        done=found.done,
        refused=refused,
        refusals=[_refusal(one) for one in found.refused],
        left=found.matched - found.done - refused,
    )


def preview(seen: Preview) -> BulkPreview:
    """What a job would do."""
    return BulkPreview(
        action=seen.order.action,
        from_failed=seen.order.from_failed,
        filter=_filter(seen.order.wanted),
        count=seen.count,
        exact=seen.exact,
        searched=seen.searched,
        total=seen.total,
        undecided=seen.undecided,
        examples=[run_summary(summary) for summary in seen.examples],
        failed=seen.failed,
        errors=[ErrorGroup(**asdict(group)) for group in seen.errors],
    )


def _refusal(refused: Refused) -> BulkRefusal:
    return BulkRefusal(reason=refused.reason, count=refused.count, examples=list(refused.examples))


def _filter(wanted: Wanted) -> BulkFilter:
    return BulkFilter(**asdict(wanted))
