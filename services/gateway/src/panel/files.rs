//! Reads a folder of built files: plain files, no hidden ones, no links, of a bounded size.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// All files together; a built panel has a few MiB.
const LARGEST: u64 = 64 << 20;
/// Folders within folders.
const DEEPEST: usize = 8;
/// The page itself.
const PAGE: &str = "index.html";

/// A file as it is served.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) content: Bytes,
    /// `Content-Type`.
    pub(crate) kind: String,
    /// With its quotes.
    pub(crate) etag: String,
    /// Its name changes with its content.
    pub(crate) is_immutable: bool,
}

/// When and how large the page was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version(OffsetDateTime, u64);

/// Files by the path that they are served at.
#[derive(Debug)]
pub(crate) struct Files {
    by_path: BTreeMap<String, Asset>,
    version: Version,
}

impl Files {
    pub(crate) fn get(&self, path: &str) -> Option<&Asset> {
        self.by_path.get(path)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }
}

/// Reads the folder, unless its page is the one that is known.
pub(super) fn read_unless(folder: &Path, known: Option<Version>) -> anyhow::Result<Option<Files>> {
    let page = fs::symlink_metadata(folder.join(PAGE)).context("the panel's page")?;
    let version = version(&page)?;
    if known == Some(version) {
        return Ok(None);
    }
    let mut by_path = BTreeMap::new();
    let mut room = LARGEST;
    read_folder(folder, "", DEEPEST, &mut room, &mut by_path)?;
    Ok(Some(Files { by_path, version }))
}

fn version(page: &Metadata) -> anyhow::Result<Version> {
    if !page.is_file() {
        bail!("{PAGE} is no file");
    }
    Ok(Version(page.modified()?.into(), page.len()))
}

fn read_folder(
    folder: &Path,
    below: &str,
    depth: usize,
    room: &mut u64,
    into: &mut BTreeMap<String, Asset>,
) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let (path, found) = (format!("{below}/{name}"), fs::symlink_metadata(entry.path())?);
        if found.is_dir() && depth > 0 {
            read_folder(&entry.path(), &path, depth - 1, room, into)?;
        } else if found.is_file() {
            *room =
                room.checked_sub(found.len()).with_context(|| format!("the panel has more than {LARGEST} bytes"))?;
            let content = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
            into.insert(path.clone(), asset(&path, content));
        }
    }
    Ok(())
}

fn asset(path: &str, content: Vec<u8>) -> Asset {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let charset = if kind.type_() == "text" { "; charset=utf-8" } else { "" };
    let digest = hex::encode(Sha256::digest(&content));
    Asset {
        content: content.into(),
        kind: format!("{}{charset}", kind.essence_str()),
        etag: format!("\"{}\"", &digest[..32]),
        is_immutable: is_hashed(path),
    }
}

/// `/assets/index-D3c_9fQa.js`: the bundler puts a hash of the content into the name of what stands there.
fn is_hashed(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/assets/") else { return false };
    let stem = name.split('.').next().unwrap_or_default();
    let tail = stem.get(stem.len().saturating_sub(9)..).unwrap_or_default();
    let is_hash = |hash: &str| hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    tail.len() == 9 && tail.strip_prefix('-').is_some_and(is_hash)
}

#[cfg(test)]
mod tests {
    use super::is_hashed;

    #[test]
    fn only_names_with_the_bundlers_hash_are_kept_for_ever() {
        for path in ["/assets/index-D3c_9fQa.js", "/assets/a-b-12345678.css", "/assets/x-abc-efgh.woff2"] {
            assert!(is_hashed(path), "{path}");
        }
        for path in ["/index.html", "/assets/logo.svg", "/assets/index.js", "/index-D3c_9fQa.js", "/assets/-short.js"] {
            assert!(!is_hashed(path), "{path}");
        }
    }
}
