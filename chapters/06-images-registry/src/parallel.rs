//! A few threads for a list of jobs.
//!
//! A pull waits for the network and a load for the disk, so more than one layer at a time is worth it; more than a few
//! is not. Threads of a scope are enough: they may borrow, and they have ended when the call returns, so that a program
//! that later starts a container has one thread again (chapter 1).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::Result;

/// Does every job, `threads` of them at a time. After a failure no further job is begun; the first failure is returned.
/// Jobs that are under way when one fails are finished: a layer that is half unpacked is of no use, but nor is it in
/// the way. With no job at all there is no thread either.
pub(crate) fn in_parallel<J: Send>(threads: usize, jobs: Vec<J>, work: impl Fn(J) -> Result<()> + Sync) -> Result<()> {
    let threads = threads.min(jobs.len());
    let queue = Mutex::new(jobs.into_iter());
    let failed = AtomicBool::new(false);
    let first = Mutex::new(Ok(()));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = next().filter(|_| !failed.load(Ordering::Relaxed)) {
                    if let Err(error) = work(job)
                        && !failed.swap(true, Ordering::Relaxed)
                    {
                        *first.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
                    }
                }
            });
        }
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::in_parallel;
    use crate::{Error, Kind};

    #[test]
    fn all_jobs_are_done_or_the_failure_is_told() {
        let sum = AtomicUsize::new(0);
        in_parallel(3, (1..=100).collect(), |job| {
            sum.fetch_add(job, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 5050);
        let fail = |job: u32| if job == 7 { Err(Error::worded(Kind::Invalid, "seven")) } else { Ok(()) };
        assert_eq!(in_parallel(2, (0..1000).collect(), fail).unwrap_err().to_string(), "seven");
    }
}
