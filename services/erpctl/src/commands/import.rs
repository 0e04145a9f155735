//! `erpctl import FILE`: records that UpCoach exported, into `upcoach` (crates/import). Killed half-way, it has imported the batches that it
//! committed; run again it finds them unchanged, or with `--key` goes on behind them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::EntityType;
use domain::upcoach::UpcoachMode;
use futures::Stream;
use import::{Asked, Format, ImportError, Options, Rejected};
use service::Binary;
use service::settings::{self, Env};
use tokio::io::AsyncReadExt as _;

use crate::connect::connect;
use crate::failure::Failure;
use crate::output::print;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Errors told on the screen; a file can hold any number.
const TOLD: u64 = 100;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(5);

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// What it is written in; by the file's extension when it isn't given.
    #[arg(long, value_parser = ["ndjson", "csv"])]
    format: Option<String>,
    /// What all its records are; without it each says so in `entityType`.
    #[arg(long, value_parser = ["customer", "subscription", "transaction", "invoice"])]
    entity_type: Option<String>,
    /// Makes it one import however often it is run: with the same key and file a later run goes on behind what was committed.
    #[arg(long)]
    key: Option<String>,
    /// A file to which every line is added that could not be imported, as it came, to be mended and imported again.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Who asks for it, for the audit trail; $USER when it isn't given.
    #[arg(long)]
    by: Option<String>,
}

pub(crate) async fn run(args: ImportArgs) -> Result<(), Failure> {
    let (url, mode) = settings::read(Env::from_process(Binary::Erpctl), |env| {
        (env.secret(&settings::DATABASE_URL), env.upcoach_mode())
    })?;
    if mode == UpcoachMode::Views {
        return Err(Failure::Usage(ImportError::Views.to_string()));
    }
    let options = options(&args)?;
    let mut rejects = args.rejects.as_deref().map(Rejects::open).transpose()?;
    let source =
        open(&args.file).map_err(|error| Failure::failed(&format!("can't read {}", args.file.display()), error))?;
    let mut connection = connect(settings::DATABASE_URL.name, &url, None).await?;

    let mut told = 0_u64;
    let mut unwritten = None;
    let on_rejected = |rejected: Rejected<'_>| {
        told += 1;
        match told {
            ..TOLD => eprintln!("erpctl: {}", rejected.error),
            TOLD => eprintln!("erpctl: {}; further ones are not shown here", rejected.error),
            _ => {}
        }
        if let Some(rejects) = &mut rejects
            && unwritten.is_none()
        {
            unwritten = rejects.write(&rejected).err();
        }
    };
    let summary = import::run(&mut connection, chunks(source), &options, on_rejected)
        .await
        .map_err(|error| explain(error, &args))?;
    print(&format!("{}\n", serde_json::to_string(&summary).unwrap_or_default()))?;
    if let Some(error) = unwritten {
        return Err(Failure::failed("the import is done, but not all rejected lines could be written", error));
    }
    match summary.counts.rejected {
        0 => Ok(()),
        rejected => Err(Failure::Failed(format!(
            "{rejected} of {} records could not be imported, all others are; mend those and import them again",
            summary.counts.records
        ))),
    }
}

fn open(path: &Path) -> std::io::Result<tokio::fs::File> {
    let file = if path == Path::new("-") {
        File::from(std::io::stdin().as_fd().try_clone_to_owned()?)
    } else {
        File::open(path)?
    };
    Ok(tokio::fs::File::from_std(file))
}

fn options(args: &ImportArgs) -> Result<Options, Failure> {
    let extension = args.file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let format = match (args.format.as_deref().unwrap_or(extension), &args.format) {
        ("csv", _) => Format::Csv,
        ("ndjson" | "jsonl", _) => Format::Ndjson,
        _ => {
            return Err(Failure::Usage(
                "the file's name does not say what it is written in; add --format ndjson or --format csv".to_owned(),
            ));
        }
    };
    // clap lets through what are labels of the type.
    let entity_type = args.entity_type.as_deref().and_then(|kind| kind.parse::<EntityType>().ok());
    let by = args.by.clone().or_else(|| std::env::var("USER").ok());
    Ok(Options { format, entity_type, key: args.key.clone(), asked: Asked { by, ..Asked::default() } })
}

/// The file in chunks; tells how far it is.
fn chunks(source: tokio::fs::File) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let begun = Instant::now();
    futures::stream::try_unfold((source, 0_u64, begun), |(mut source, read, told)| async move {
        let mut chunk = vec![0; CHUNK];
        let count = source.read(&mut chunk).await?;
        if count == 0 {
            return Ok(None);
        }
        chunk.truncate(count);
        let read = read + count as u64;
        let told = if told.elapsed() > PROGRESS {
            eprintln!("erpctl: {} MB read", read / 1_000_000);
            Instant::now()
        } else {
            told
        };
        Ok(Some((Bytes::from(chunk), (source, read, told))))
    })
}

fn explain(error: ImportError, args: &ImportArgs) -> Failure {
    let again = match &args.key {
        Some(_) => "run it again to go on",
        None => "run it again: what is there already stays as it is",
    };
    match error {
        ImportError::Header(_) | ImportError::KeyTaken | ImportError::Differs { .. } | ImportError::Views => {
            Failure::Usage(error.to_string())
        }
        ImportError::Source(_) | ImportError::Database(_) => {
            Failure::failed(&format!("the import ended before its file; what was committed stays, {again}"), error)
        }
        ImportError::NoLongerOurs => Failure::Failed(error.to_string()),
    }
}

/// Where rejected lines go.
struct Rejects {
    file: File,
    is_empty: bool,
}

impl Rejects {
    fn open(path: &Path) -> Result<Self, Failure> {
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let file = opened.map_err(|error| Failure::failed(&format!("can't write to {}", path.display()), error))?;
        let is_empty = file.metadata().map(|metadata| metadata.len() == 0).unwrap_or(false);
        Ok(Self { file, is_empty })
    }

    fn write(&mut self, rejected: &Rejected<'_>) -> std::io::Result<()> {
        if let (true, Some(header)) = (self.is_empty, rejected.header) {
            self.file.write_all(header)?;
        }
        self.is_empty = false;
        self.file.write_all(rejected.raw)?;
        if rejected.raw.last().is_some_and(|last| *last != b'\n') {
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }
}
