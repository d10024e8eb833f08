//! The secret that the nodes of a cluster share, and the file that contains it.
//!
//! A node that knows the cookie may connect, and then run every `#[remote]` function. So the cookie
//! is wiped from memory when it is dropped, and is in no `Debug` output and no log. Its file must
//! be readable only by its owner: a regular file of this user, without group or other bits. It is
//! opened without following a link at its name, so the file that is checked is the file that is
//! read. A handshake uses the cookie as key material and never sends it.
//!
//! A missing file is made with 256 random bits. Nodes that start at the same time all get the same
//! cookie: each writes its own file and links it to the name. This succeeds for one of them. Then
//! all read the linked file.
//!
//! Semantics DIST-8, DIST-9. Prior art: `auth.erl`.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use fika_runtime::report;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// A longer file is not a cookie, but was named by mistake.
const FILE_BYTES_MAX: usize = 4096;

/// A cookie shorter than this can be guessed from a recorded handshake.
const WEAK_BELOW_BYTES: usize = 16;

/// The secret that the nodes of a cluster share.
///
/// ```
/// use fika_net::Cookie;
///
/// let cookie = Cookie::new("correct horse battery staple")?;
/// assert!(!cookie.is_weak());
/// assert_eq!(format!("{cookie:?}"), "Cookie(..)");
/// # Ok::<(), fika_net::CookieError>(())
/// ```
///
/// A cookie is usually read from a file:
///
/// ```no_run
/// use fika_net::Cookie;
/// use fika_runtime::{Env, SystemEnv};
///
/// let cookie = Cookie::from_file("/etc/cache/cookie")?;
/// let short = Cookie::from_file_weak("/etc/cache/short.cookie")?;
///
/// // The file that a node uses if none is set, which is made if it is missing.
/// println!("{}", Cookie::default_file()?.display());
/// let env = SystemEnv::new();
/// let own = Cookie::load_default(&mut |bytes| env.secure_random(bytes))?;
/// # Ok::<(), fika_net::CookieError>(())
/// ```
#[derive(Clone)]
pub struct Cookie(Zeroizing<Vec<u8>>);

/// Why there is no valid cookie.
///
/// ```
/// use fika_net::{Cookie, CookieError};
///
/// assert!(matches!(Cookie::new("short"), Err(CookieError::Weak)));
/// assert!(Cookie::new("long enough to be a secret").is_ok());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The text or the file is empty.
    #[error("the cookie is empty; any text of {WEAK_BELOW_BYTES} or more bytes will do")]
    Empty,
    /// The text or the contents of the file can be guessed.
    #[error(
        "the cookie has fewer than {WEAK_BELOW_BYTES} bytes: a recorded handshake is enough to \
         guess it; use a longer one, or allow weak cookies"
    )]
    Weak,
    /// There is no directory for the default file.
    #[error("no cookie: HOME is not set; set it, or give the node a cookie")]
    NoHome,
    /// The name is a symbolic link.
    #[error("the cookie file {} is a symbolic link; use the name of its target", .0.display())]
    Link(PathBuf),
    /// The name is a directory, a pipe or the like.
    #[error("the cookie file {} is not a regular file; remove it", .0.display())]
    NotAFile(PathBuf),
    /// The file belongs to another user.
    #[error(
        "the cookie file {} belongs to user {owner}, not to {us}, which this node runs as; \
         chown it",
        path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Our effective user id.
        us: u32,
    },
    /// Other users may read or write the file.
    #[error(
        "the cookie file {path} is open to other users (mode {mode:03o}); chmod 600 {path}",
        path = path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is too long for a cookie.
    #[error("the cookie file {} is longer than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// The file could not be opened, read or made.
    #[error("the cookie file {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        error: io::Error,
    },
}

impl Cookie {
    /// Makes a cookie from the given text.
    ///
    /// # Errors
    /// If the text is empty, or so short that it can be guessed ([`is_weak`](Cookie::is_weak)).
    pub fn new(text: &str) -> Result<Cookie, CookieError> {
        Cookie::of_text(text)?.strong()
    }

    /// Makes a cookie from a text that may be short. Logs a warning if it is: an attacker who has
    /// recorded one handshake can quickly try all short texts.
    ///
    /// ```
    /// use fika_net::Cookie;
    ///
    /// assert!(Cookie::new("abc").is_err());
    /// assert!(Cookie::new_weak("abc")?.is_weak());
    /// # Ok::<(), fika_net::CookieError>(())
    /// ```
    ///
    /// # Errors
    /// If the text is empty.
    pub fn new_weak(text: &str) -> Result<Cookie, CookieError> {
        Ok(Cookie::of_text(text)?.taken_as_it_is())
    }

    /// Reads a cookie from a file. A line end at the end of the file is not part of the cookie.
    ///
    /// # Errors
    /// If the file is missing, empty, a link, not regular, owned by another user, or open to other
    /// users, or if its contents can be guessed. The error's text says what to do.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Cookie, CookieError> {
        Cookie::of_file(path.as_ref())?.strong()
    }

    /// Reads a cookie from a file that may contain a short one; see [`new_weak`](Cookie::new_weak).
    ///
    /// # Errors
    /// Fails as [`from_file`](Cookie::from_file) does, except for a short cookie.
    pub fn from_file_weak(path: impl AsRef<Path>) -> Result<Cookie, CookieError> {
        Ok(Cookie::of_file(path.as_ref())?.taken_as_it_is())
    }

    fn of_file(path: &Path) -> Result<Cookie, CookieError> {
        let mut file = open(path)?;
        check(&file, path)?;
        // Allocates one byte more than allowed, all at once: a growing buffer would leave copies
        // behind that are not wiped.
        let mut bytes = Zeroizing::new(vec![0; FILE_BYTES_MAX + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error(path, error)),
            }
        }
        if length > FILE_BYTES_MAX {
            return Err(CookieError::TooLong(path.into()));
        }
        let text = &bytes[..length];
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Cookie::some(Zeroizing::new(text.to_vec()))
    }

    /// Returns the file of this user's cookie: `~/.fika.cookie`, or `fika/cookie` in the
    /// configuration directory (`$XDG_CONFIG_HOME`) if only that exists.
    ///
    /// # Errors
    /// If `HOME` is not set.
    pub fn default_file() -> Result<PathBuf, CookieError> {
        let variable = std::env::var_os;
        default_file(variable("HOME").as_deref(), variable("XDG_CONFIG_HOME").as_deref())
    }

    /// Returns the cookie of this user. Makes a missing file, with the bytes from `random`.
    ///
    /// # Errors
    /// Fails as [`from_file`](Cookie::from_file) does, or if the file can't be made.
    pub fn load_default(random: &mut dyn FnMut(&mut [u8])) -> Result<Cookie, CookieError> {
        Cookie::load_or_make(&Cookie::default_file()?, random)
    }

    fn load_or_make(path: &Path, random: &mut dyn FnMut(&mut [u8])) -> Result<Cookie, CookieError> {
        match Cookie::from_file(path) {
            Err(CookieError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                make(path, random).map_err(|error| io_error(path, error))?;
                Cookie::from_file(path)
            }
            other => other,
        }
    }

    /// Returns whether the cookie is so short that it can be guessed.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.0.len() < WEAK_BELOW_BYTES
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of_text(text: &str) -> Result<Cookie, CookieError> {
        Cookie::some(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn some(bytes: Zeroizing<Vec<u8>>) -> Result<Cookie, CookieError> {
        if bytes.is_empty() { Err(CookieError::Empty) } else { Ok(Cookie(bytes)) }
    }

    fn strong(self) -> Result<Cookie, CookieError> {
        if self.is_weak() { Err(CookieError::Weak) } else { Ok(self) }
    }

    fn taken_as_it_is(self) -> Cookie {
        if self.is_weak() {
            report!(
                warn,
                "the cookie has fewer than {WEAK_BELOW_BYTES} bytes: a recorded handshake is \
                 enough to guess it"
            );
        }
        self
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(..)")
    }
}

fn io_error(path: &Path, error: io::Error) -> CookieError {
    CookieError::Io { path: path.into(), error }
}

/// Opens the file itself: does not follow a link at its name, and does not wait for the other end
/// of a pipe.
fn open(path: &Path) -> Result<File, CookieError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => CookieError::Link(path.into()),
            Ok(found) if !found.is_file() => CookieError::NotAFile(path.into()),
            _ => io_error(path, error),
        }
    })
}

fn check(file: &File, path: &Path) -> Result<(), CookieError> {
    let found = file.metadata().map_err(|error| io_error(path, error))?;
    let us = rustix::process::geteuid().as_raw();
    let mode = found.mode() & 0o777;
    if !found.is_file() {
        return Err(CookieError::NotAFile(path.into()));
    }
    if found.uid() != us {
        return Err(CookieError::NotOurs { path: path.into(), owner: found.uid(), us });
    }
    if mode & 0o077 != 0 {
        return Err(CookieError::OpenToOthers { path: path.into(), mode });
    }
    Ok(())
}

fn default_file(home: Option<&OsStr>, config: Option<&OsStr>) -> Result<PathBuf, CookieError> {
    let set = |directory: Option<&OsStr>| directory.filter(|d| !d.is_empty()).map(PathBuf::from);
    let exists = |path: &Path| fs::symlink_metadata(path).is_ok();
    let home = set(home).ok_or(CookieError::NoHome)?;
    let first = home.join(".fika.cookie");
    let second = set(config).unwrap_or_else(|| home.join(".config")).join("fika/cookie");
    Ok(if !exists(&first) && exists(&second) { second } else { first })
}

/// Makes the file with a new cookie, unless another node has made it first.
fn make(path: &Path, random: &mut dyn FnMut(&mut [u8])) -> io::Result<()> {
    let (mut secret, mut name) = (Zeroizing::new([0; 32]), [0; 8]);
    random(&mut *secret);
    random(&mut name);
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{:016x}", u64::from_be_bytes(name)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let linked = file
        .write_all(&hex(&secret)[..])
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn hex(bytes: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let mut text = Zeroizing::new([0; 64]);
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A directory that is removed at the end of its test.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Directory {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("fika-cookie-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Directory(path)
        }

        fn file(&self, content: &str, mode: u32) -> PathBuf {
            let path = self.0.join("cookie");
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn fixed(byte: u8) -> impl FnMut(&mut [u8]) {
        move |bytes| bytes.fill(byte)
    }

    #[test]
    fn debug_output_hides_the_cookie() {
        let cookie = Cookie::new("open sesame, open sesame").unwrap();
        assert_eq!(format!("{cookie:?}"), "Cookie(..)");
        assert!(matches!(Cookie::new(""), Err(CookieError::Empty)));
    }

    /// A cookie that can be guessed is only accepted on request.
    #[test]
    fn a_short_cookie_needs_permission() {
        let longest = "fifteen bytes..";
        assert!(matches!(Cookie::new(longest), Err(CookieError::Weak)));
        assert!(Cookie::new_weak(longest).unwrap().is_weak());
        assert!(!Cookie::new("sixteen bytes...").unwrap().is_weak());
        assert!(matches!(Cookie::new_weak(""), Err(CookieError::Empty)));
        let directory = Directory::new();
        let file = directory.file("fifteen bytes..\n", 0o600);
        assert!(matches!(Cookie::from_file(&file), Err(CookieError::Weak)));
        assert_eq!(Cookie::from_file_weak(&file).unwrap().as_bytes(), longest.as_bytes());
    }

    #[test]
    fn a_line_end_is_not_part_of_the_cookie() {
        for (content, text) in
            [("a b", "a b"), ("a b\n", "a b"), ("a b\r\n", "a b"), ("a\n\n", "a\n")]
        {
            let directory = Directory::new();
            let cookie = Cookie::from_file_weak(directory.file(content, 0o600)).unwrap();
            assert_eq!(cookie.as_bytes(), text.as_bytes());
        }
    }

    /// DIST-9: a file that other users can open is refused.
    #[test]
    fn a_file_with_open_permissions_is_refused() {
        let directory = Directory::new();
        for mode in [0o600, 0o400] {
            assert!(Cookie::from_file_weak(directory.file("secret", mode)).is_ok(), "{mode:o}");
            fs::remove_file(directory.0.join("cookie")).unwrap();
        }
        for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
            let error = Cookie::from_file(directory.file("secret", mode)).unwrap_err();
            assert!(matches!(error, CookieError::OpenToOthers { .. }), "{mode:o}");
            assert!(error.to_string().contains("chmod 600 /"), "{error}");
        }
    }

    #[test]
    fn invalid_cookie_files_are_refused() {
        let directory = Directory::new();
        let file = directory.file("secret", 0o600);
        let link = directory.0.join("link");
        symlink(&file, &link).unwrap();
        assert!(matches!(Cookie::from_file(link), Err(CookieError::Link(_))));
        assert!(matches!(Cookie::from_file(&directory.0), Err(CookieError::NotAFile(_))));
        assert!(matches!(Cookie::from_file(directory.0.join("none")), Err(CookieError::Io { .. })));
        let file = directory.file("", 0o600);
        assert!(matches!(Cookie::from_file(file), Err(CookieError::Empty)));
        let limit = "x".repeat(FILE_BYTES_MAX);
        assert!(Cookie::from_file(directory.file(&limit, 0o600)).is_ok());
        let file = directory.file(&(limit + "x"), 0o600);
        assert!(matches!(Cookie::from_file(file), Err(CookieError::TooLong(_))));
    }

    #[test]
    fn the_default_file() {
        let directory = Directory::new();
        let (home, config) = (directory.0.join("home"), directory.0.join("config"));
        for made in [&home, &config.join("fika"), &home.join(".config/fika")] {
            fs::create_dir_all(made).unwrap();
        }
        let file = |config: Option<&Path>| {
            default_file(Some(home.as_os_str()), config.map(Path::as_os_str)).unwrap()
        };
        let first = home.join(".fika.cookie");
        assert_eq!(file(Some(&config)), first, "the file in the home directory will be made");
        fs::write(home.join(".config/fika/cookie"), "").unwrap();
        assert_eq!(file(None), home.join(".config/fika/cookie"));
        fs::write(config.join("fika/cookie"), "").unwrap();
        assert_eq!(file(Some(&config)), config.join("fika/cookie"));
        fs::write(&first, "").unwrap();
        assert_eq!(file(Some(&config)), first, "the file in the home directory goes first");
        assert!(matches!(default_file(None, None), Err(CookieError::NoHome)));
    }

    #[test]
    fn a_missing_file_is_created() {
        let directory = Directory::new();
        let path = directory.0.join("cookie");
        let made = Cookie::load_or_make(&path, &mut fixed(0xa7)).unwrap();
        assert_eq!(made.as_bytes(), "a7".repeat(32).as_bytes());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = Cookie::load_or_make(&path, &mut |_| panic!("it is there")).unwrap();
        assert_eq!(again.as_bytes(), made.as_bytes());
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn nodes_that_start_at_the_same_time_share_the_cookie() {
        let directory = Directory::new();
        for round in 0..20 {
            let path = directory.0.join(format!("cookie{round}"));
            let barrier = Barrier::new(4);
            let cookies: Vec<_> = std::thread::scope(|scope| {
                let start = |byte| {
                    let (path, barrier) = (&path, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        Cookie::load_or_make(path, &mut fixed(byte)).unwrap()
                    })
                };
                let nodes: Vec<_> = (0..4).map(start).collect();
                nodes.into_iter().map(|node| node.join().unwrap()).collect()
            });
            assert!(cookies.windows(2).all(|pair| pair[0].as_bytes() == pair[1].as_bytes()));
        }
    }
}
