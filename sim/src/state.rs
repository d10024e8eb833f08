//! Describes the state of each node, for the report of a condition that was not met.

use std::fmt::Write as _;

use crate::node::Member;
use crate::sim::Sim;

/// The most names and connections shown per node.
const AT_MOST: usize = 20;

impl Sim {
    /// Returns a line for each node.
    pub(crate) fn states(&self) -> String {
        self.members.iter().fold(String::new(), |mut all, member| {
            let _ = write!(all, "\n  {} {}", member.name, state(member));
            all
        })
    }
}

fn state(member: &Member) -> String {
    let Some(life) = &member.life else { return "is down".to_owned() };
    let mut state = match (member.is_paused, life.has_started()) {
        (true, _) => "is paused".to_owned(),
        (false, true) => "is up".to_owned(),
        (false, false) => "is starting".to_owned(),
    };
    let channels = life.net.channels();
    for (what, of) in [("connected", channels), ("names", life.names())] {
        let _ = write!(state, "; {what}: ");
        let more = of.len().saturating_sub(AT_MOST);
        let told = of.into_iter().take(AT_MOST).collect::<Vec<_>>().join(", ");
        state.push_str(if told.is_empty() { "none" } else { &told });
        if more > 0 {
            let _ = write!(state, " and {more} more");
        }
    }
    state
}
