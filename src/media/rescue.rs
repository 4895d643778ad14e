//! Recordings that a crash has left unfinished: made whole again where there is sound in them.
//!
//! A recording is `NAME.wav.part` until its call is over. After a crash nobody would finish it, and no record names it:
//! its header says how long it was up to two seconds before the end. Here the header is put right and the file gets the
//! name that it should have had; the name is the id of its call.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders below that of the recordings: `YYYY-MM/DD`. Deeper down nothing is ours.
const DEPTH: usize = 2;
/// RIFF, `fmt ` of sixteen bytes and the head of `data`: what we write before the first sample.
const HEADER: u64 = 44;
/// One sample of both sides.
const PAIR: u64 = 4;

/// What a look through the folder came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Files that can be played now.
    pub whole: usize,
    /// Files in which there was no sound: removed.
    pub empty: usize,
    /// Files that could not be mended: left as they are.
    pub broken: usize,
}

/// Mends what was left unfinished below `recordings` and not written since `before`, which is when this process began:
/// nobody writes there any more. Blocks; a folder that is not there holds nothing.
pub fn rescue(recordings: &Path, before: SystemTime) -> Rescued {
    let mut rescued = Rescued::default();
    for part in unfinished(recordings) {
        let old = fs::metadata(&part).and_then(|file| file.modified()).is_ok_and(|written| written < before);
        if !old {
            continue;
        }
        match mend(&part) {
            Ok(true) => rescued.whole += 1,
            Ok(false) => rescued.empty += 1,
            Err(error) => {
                tracing::debug!(file = %part.display(), %error, "an unfinished recording cannot be mended");
                rescued.broken += 1;
            }
        }
    }
    rescued
}

/// Every `.wav.part` below `recordings`.
pub fn unfinished(recordings: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(recordings.to_owned(), DEPTH)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            match kind {
                Ok(kind) if kind.is_dir() && depth > 0 => folders.push((path, depth - 1)),
                Ok(kind) if kind.is_file() && path.to_string_lossy().ends_with(".wav.part") => found.push(path),
                _ => {}
            }
        }
    }
    found
}

/// `false`: there was no sound in it, and it is gone.
fn mend(part: &Path) -> io::Result<bool> {
    let whole = part.with_extension("");
    if whole.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a recording of that name exists"));
    }
    let mut file = OpenOptions::new().read(true).write(true).open(part)?;
    let length = file.metadata()?.len();
    if length < HEADER + PAIR {
        fs::remove_file(part)?;
        return Ok(false);
    }
    let mut header = [0; HEADER as usize];
    file.read_exact(&mut header)?;
    if &header[..4] != b"RIFF" || &header[8..16] != b"WAVEfmt " || &header[36..40] != b"data" {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no recording of ours"));
    }
    let sound = (length - HEADER) / PAIR * PAIR;
    let sizes = [(4, HEADER - 8 + sound), (40, sound)];
    for (at, size) in sizes {
        let size = u32::try_from(size).map_err(io::Error::other)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&size.to_le_bytes())?;
    }
    file.set_len(HEADER + sound)?;
    file.sync_all()?;
    fs::rename(part, &whole)?;
    if let Some(folder) = whole.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What is on the disk when the process is killed: samples behind a header that knows only the first of them.
    fn killed(folder: &Path, name: &str, samples: &[i16], known: u32) -> PathBuf {
        let part = folder.join(format!("{name}.wav.part"));
        let mut bytes = Vec::new();
        bytes.extend_from_slice(b"RIFF");
        bytes.extend_from_slice(&(36 + known).to_le_bytes());
        bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0data");
        bytes.extend_from_slice(&known.to_le_bytes());
        samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.to_le_bytes()));
        fs::write(&part, bytes).unwrap();
        part
    }

    /// A moment at which whatever has been written was written before.
    fn later() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)
    }

    #[test]
    fn what_a_crash_cut_short_is_whole_again_to_its_last_sample() {
        let home = tempfile::tempdir().unwrap();
        let day = home.path().join("2026-11").join("21");
        fs::create_dir_all(&day).unwrap();
        killed(&day, "01M7", &[1, -1, 2, -2, 3], 4);
        killed(&day, "EMPTY", &[], 0);
        fs::write(day.join("ALIEN.wav.part"), [7; 100]).unwrap();
        killed(&day, "TAKEN", &[1, 1], 0);
        fs::write(day.join("TAKEN.wav"), "another").unwrap();
        assert_eq!(unfinished(home.path()).len(), 4);
        assert_eq!(rescue(home.path(), later()), Rescued { whole: 1, empty: 1, broken: 2 });
        let mut wav = hound::WavReader::open(day.join("01M7.wav")).unwrap();
        let samples: Vec<i16> = wav.samples().map(|sample| sample.unwrap()).collect();
        assert_eq!(samples, [1, -1, 2, -2], "half a pair is none");
        assert_eq!(fs::read(day.join("TAKEN.wav")).unwrap(), b"another");
        assert_eq!(
            rescue(home.path(), later()),
            Rescued { broken: 2, ..Rescued::default() },
            "what is mended stays so"
        );
    }

    #[test]
    fn a_recording_that_is_being_written_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let part = killed(home.path(), "LIVE", &[1, 1], 0);
        assert_eq!(rescue(home.path(), SystemTime::UNIX_EPOCH), Rescued::default());
        assert!(part.exists());
        assert_eq!(rescue(&home.path().join("nowhere"), later()), Rescued::default());
    }
}
