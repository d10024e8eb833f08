//! The parameters of a workload: numbers by name.

use std::collections::BTreeMap;
use std::fmt;

/// Numbers by name, written `n=1000 each=5` on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, u64>);

impl Params {
    /// Reads words of the form `name=number`.
    ///
    /// # Errors
    /// A text that names the first invalid word.
    pub fn parse<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Params, String> {
        let pairs = words.into_iter().map(|word| {
            let word = word.as_ref();
            let (name, number) = word.split_once('=').ok_or_else(|| format!("no `=` in {word}"))?;
            let number = number.parse().map_err(|_| format!("not a number: {word}"))?;
            Ok((name.to_owned(), number))
        });
        pairs.collect::<Result<_, String>>().map(Params)
    }

    /// Returns the workload and the parameters that this program was started with.
    ///
    /// # Panics
    /// If the arguments are invalid. Only fika-bench should pass them.
    #[must_use]
    pub fn of_this_program() -> (String, Params) {
        let mut args = std::env::args().skip(1);
        let workload = args.next().expect("the first argument names the workload");
        (workload, Params::parse(args).expect("the others are parameters"))
    }

    /// Returns the number with this name.
    ///
    /// # Panics
    /// If the number is missing: then the workload does not match its entry in fika-bench's table.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_else(|| panic!("no parameter {name}"))
    }

    /// Returns the number with this name, as a size.
    ///
    /// # Panics
    /// If the number is missing.
    #[must_use]
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.get(name)).expect("sizes have 64 bits here")
    }

    /// Sets a number.
    pub fn set(&mut self, name: &str, number: u64) {
        self.0.insert(name.to_owned(), number);
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, number)) in self.0.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{name}={number}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn parameters_round_trip() {
        let params = Params::parse(["n=5", "each=10"]).unwrap();
        assert_eq!((params.get("n"), params.size("each")), (5, 10));
        assert_eq!(Params::parse(params.to_string().split(' ')), Ok(params));
        assert_eq!(Params::parse(["n"]), Err("no `=` in n".to_owned()));
        assert_eq!(Params::parse(["n=x"]), Err("not a number: n=x".to_owned()));
    }
}
