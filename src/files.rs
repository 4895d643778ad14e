//! Private files: what holds people's numbers and words is readable by its owner only, and whole or absent.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Owner reads and writes, nobody else anything.
const FILE_MODE: u32 = 0o600;
/// Owner enters, nobody else.
const FOLDER_MODE: u32 = 0o700;
/// Everybody but the owner.
const OTHERS: u32 = 0o077;
/// Files of many people lie in such a folder, as in `/tmp`.
const STICKY: u32 = 0o1000;

/// Makes `folder` and its missing parents, each for the owner only. Folders that exist keep their mode: see
/// [`narrow_folder`].
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// Takes a folder that exists away from everybody but its owner. One that is shared by its nature (`/tmp`) stays as
/// it is; the files inside are private by themselves.
pub fn narrow_folder(folder: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(folder)?.permissions().mode();
    if mode & OTHERS == 0 || mode & STICKY != 0 {
        return Ok(());
    }
    std::fs::set_permissions(folder, Permissions::from_mode(mode & 0o7777 & !OTHERS))
}

/// Makes an empty private file; an existing one is left alone (`AlreadyExists`).
pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Writes `bytes` so that after a crash, of the program or of the machine, `path` is there whole or not at all.
pub fn write_private_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a file needs a name"))?;
    // Two may write the same file at once, here or in another process: each through a part of its own.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_file_name(format!(".{}.{}.{number}.part", name.to_string_lossy(), std::process::id()));
    let written = write_through(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // Best effort: a part file is never read, only in the way.
        let _ = std::fs::remove_file(&beside);
        return written;
    }
    // The rename itself must reach the disk too.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A part file of an earlier crash may be in the way.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_for_the_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        create_private_folder(&folder).unwrap();
        let file = folder.join("call.json");
        write_private_file(&file, b"one").unwrap();
        write_private_file(&file, b"two").unwrap();
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no part file stays");
    }

    #[test]
    fn a_folder_others_could_enter_is_taken_from_them_but_a_shared_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        let full = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        for (before, after) in [(0o755, 0o700), (0o2770, 0o2700), (0o500, 0o500), (0o1777, 0o1777)] {
            std::fs::set_permissions(&folder, Permissions::from_mode(before)).unwrap();
            narrow_folder(&folder).unwrap();
            assert_eq!(full(&folder), after, "{before:o}");
        }
        assert!(narrow_folder(&home.path().join("none")).is_err());
    }

    #[test]
    fn many_may_write_the_same_file_at_once() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("prompt.wav");
        let bytes = vec![7; 100_000];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| write_private_file(&file, &bytes).unwrap());
            }
        });
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no part file stays");
    }

    #[test]
    fn a_file_that_cannot_be_written_whole_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        // The place is taken by a folder: the rename fails after the bytes were written.
        let place = home.path().join("taken");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("inside"), b"x").unwrap();
        assert!(write_private_file(&place, b"bytes").is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
