//! How busy workers share their work.
//!
//! A worker that has no work steals some. A busy worker does not steal, so a few tasks that always
//! want to run could stay on one worker while many tasks share another, and would then get many
//! times as many turns. Therefore each worker compares its queue with another worker's now and
//! then. Small differences remain: tasks that talk to each other are better off on the same worker.
//!
//! Prior art: `check_balance` of `erl_process.c`.

/// Returns how many tasks a worker with `ours` tasks takes from a worker with `theirs`.
pub(super) fn share(ours: usize, theirs: usize) -> usize {
    if theirs > 2 * (ours + 1) { (theirs - ours) / 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn work_is_shared_only_if_the_other_has_much_more() {
        let cases =
            [(0, 0, 0), (0, 2, 0), (0, 3, 1), (1, 4, 0), (1, 5, 2), (10, 22, 0), (10, 30, 10)];
        for (ours, theirs, expected) in cases {
            assert_eq!(share(ours, theirs), expected, "{ours}, {theirs}");
            assert_eq!(share(theirs, ours), 0);
        }
    }
}
