//! The log of a test binary that installs a global tracing subscriber.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// Everything that was logged while the current test ran.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Collects the log, up to this level, for one test at a time: the nodes of two tests would have
/// equal pids.
pub(crate) fn listen(level: tracing::Level) -> MutexGuard<'static, ()> {
    static LISTENING: Mutex<()> = Mutex::new(());
    static ONCE: Once = Once::new();
    let listening = LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_ansi(false).with_max_level(level);
        log.with_writer(|| ToLog).init();
    });
    LOG.lock().unwrap().clear();
    listening
}

/// Returns the lines of the log that contain all of these texts.
pub(crate) fn lines_with(texts: &[&str]) -> Vec<String> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let is_meant = |line: &&str| texts.iter().all(|text| line.contains(text));
    log.lines().filter(is_meant).map(str::to_owned).collect()
}
