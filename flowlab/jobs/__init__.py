"""Jobs: training in slices, on worker processes or a Dask cluster. See `runner.JobRunner` and `slices.run_slice`."""

from flowlab.jobs.job import RunStatus, Snapshot
from flowlab.jobs.lanes import JobError
from flowlab.jobs.runner import JobRunner
from flowlab.jobs.slices import SliceResult, run_slice, run_view

__all__ = ["JobError", "JobRunner", "RunStatus", "SliceResult", "Snapshot", "run_slice", "run_view"]
