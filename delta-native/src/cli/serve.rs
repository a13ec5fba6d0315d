//! `delta serve [STREAM]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use delta_native::serve::{Log, Pace, Server, Settings, Site};
use delta_native::source::read_file;
use delta_native::{sample, stream::Stream};

/// Serve a stream over HTTP, its records one after another as if they were being written
///
/// Readers get what is out already, then what comes; one that was cut off resumes from its
/// position. Without STREAM, book_docs of the sample is served. Ends with Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Path stem of a stream, as `replay` takes it, or a file of frames that ends in .delta
    #[arg(value_name = "STREAM")]
    stream: Option<PathBuf>,
    /// Address to listen at; one that others reach lets them read the stream
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Port to listen at; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = 8765)]
    port: u16,
    /// Records a second
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Records that are out from the beginning; half of them by default
    #[arg(long, value_name = "N")]
    first: Option<usize>,
    /// Start again 5 seconds after the end
    #[arg(long)]
    repeat: bool,
    /// Folder of a page to serve beside the stream
    #[arg(long, value_name = "FOLDER")]
    site: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let log = load(args.stream.as_deref())?;
    let pace = Pace {
        first: args.first.unwrap_or(log.len() / 2),
        rate_per_s: args.rate,
        repeats: args.repeat,
    };
    let mut settings = Settings::new(pace);
    if let Some(folder) = &args.site {
        settings.site = Site::load(folder).context("cannot serve the page")?;
    }
    let what = format!("{}, {} records", log.name(), log.len());
    let address = SocketAddr::new(args.listen, args.port);
    let server = Server::bind(address, log, settings)
        .with_context(|| format!("cannot listen at {address}"))?;
    super::print(format!("serving {what} at http://{}/\n", server.address()).as_bytes())?;
    server.run();
    Ok(ExitCode::SUCCESS)
}

fn load(path: Option<&Path>) -> anyhow::Result<Log> {
    let Some(path) = path else {
        let streams = sample::streams().context("cannot load the sample")?;
        let stream = streams.first().context("the sample is empty")?;
        return Log::from_stream(stream).context("cannot serve the sample");
    };
    let log = if path.extension().is_some_and(|ending| ending == "delta") {
        let frames = read_file(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Log::new(&name, frames)
    } else {
        let stream = Stream::load(path)
            .with_context(|| format!("cannot load the stream {}", path.display()))?;
        Log::from_stream(&stream)
    };
    log.with_context(|| format!("cannot serve {}", path.display()))
}
