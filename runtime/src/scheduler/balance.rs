//! How busy workers share their work.
//!
//! A worker that has nothing left to do steals. A busy one does not, so a few tasks that always
//! want to run could stay with one worker and very many with another, and would have many times
//! the turns of those. Therefore each worker compares its queue with another's now and then. Small
//! differences stay: tasks that talk to each other are better off where they are.
//!
//! Prior art: `check_balance` of `erl_process.c`.

/// How many of its tasks a worker with `theirs` gives to one with `ours`.
pub(super) fn share(ours: usize, theirs: usize) -> usize {
    if theirs > 2 * (ours + 1) { (theirs - ours) / 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn only_much_more_work_is_shared() {
        let cases =
            [(0, 0, 0), (0, 2, 0), (0, 3, 1), (1, 4, 0), (1, 5, 2), (10, 22, 0), (10, 30, 10)];
        for (ours, theirs, expected) in cases {
            assert_eq!(share(ours, theirs), expected, "{ours}, {theirs}");
            assert_eq!(share(theirs, ours), 0);
        }
    }
}
