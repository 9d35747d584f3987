//! Writing one file, durably and with checksums.
//!
//! A file is written under a temporary name, synced, and given its final name; only then can a manifest entry name it.
//! An error or a crash in between leaves a temporary file, which the next opening removes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{Array, RecordBatch, TimestampMicrosecondArray};
use muster_model::{
    id::{IdSpace, WorkspaceId},
    time::Micros,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use xxhash_rust::xxh3::Xxh3;

use super::{
    daily, directory, disk,
    manifest::{BLOCK_BYTES, Segment, Written},
    notes::Notes,
    restore,
    schema::{self, Layout},
};

/// Rows of one row group. Who reads a few of them has to read the dictionaries of the whole group, of which that of the users
/// grows with it; the file does not grow by having more of them.
const ROW_GROUP_ROWS_MAX: usize = 32 * 1024;
const PAGE_ROWS_MAX: usize = 8 * 1024;
/// Compression of a month's file, and of random texts in it, where more finds nothing.
const ZSTD_LEVEL: i32 = 3;
const ZSTD_LEVEL_RANDOM: i32 = 1;

/// Files that are not finished yet.
pub const TEMPORARY_SUFFIX: &str = "part";

/// A file that is being written.
pub struct SegmentWriter {
    history_dir: PathBuf,
    relative_path: String,
    temporary: PathBuf,
    workspace: WorkspaceId,
    id: u64,
    month: Option<Micros>,
    rows: u64,
    span: Option<(Micros, Micros)>,
    arrivals: Option<(u64, u64)>,
    notes: Notes,
    writer: ArrowWriter<ChecksummedFile>,
}

impl SegmentWriter {
    /// Starts a file. Its place below the history's directory tells its workspace and month.
    pub fn create(
        history_dir: &Path,
        (workspace, workspace_name): (WorkspaceId, &str),
        id: u64,
        (month, layout): (Option<Micros>, Layout),
    ) -> Result<Self, ParquetError> {
        let period = month.map_or_else(|| "recent".to_owned(), |month| month.to_millis_text()[..7].to_owned());
        let relative_path = format!("workspace={workspace_name}/month={period}/{id:012}.parquet");
        let path = history_dir.join(&relative_path);
        let dir = path.parent().unwrap_or(history_dir);
        disk::make_dir(history_dir)?;
        disk::make_dir(dir.parent().unwrap_or(history_dir))?;
        disk::make_dir(dir)?;
        let temporary = path.with_extension(TEMPORARY_SUFFIX);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
        let writer = ArrowWriter::try_new(
            ChecksummedFile::new(file),
            layout.written().clone(),
            Some(properties(month, layout)),
        )?;
        let history_dir = history_dir.to_owned();
        let notes = Notes::new(IdSpace::new(workspace_name));
        let (rows, span, arrivals) = (0, None, None);
        Ok(SegmentWriter {
            history_dir,
            relative_path,
            temporary,
            workspace,
            id,
            month,
            rows,
            span,
            arrivals,
            notes,
            writer,
        })
    }

    /// Adds rows; they must be sorted as the file is.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let timestamps = rows.column(schema::TIMESTAMP).as_any().downcast_ref::<TimestampMicrosecondArray>();
        for at in timestamps.iter().flat_map(|array| array.values()).map(|at| Micros(*at)) {
            self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        if let Some(numbers) = restore::arrivals(rows) {
            for number in numbers.values().iter().map(|number| *number as u64) {
                let known = self.arrivals.unwrap_or((number, number));
                self.arrivals = Some((known.0.min(number), known.1.max(number)));
            }
        }
        self.rows += rows.num_rows() as u64;
        self.notes.take(rows).ok_or_else(|| ParquetError::General("unexpected columns".to_owned()))?;
        self.writer.write(rows)
    }

    /// Finishes the file and makes it durable under its final name. `None`, and no file, when it has no rows.
    pub fn finish(mut self) -> Result<Option<Arc<Segment>>, ParquetError> {
        let Some(span) = self.span else {
            drop(self.writer);
            disk::remove_if_there(&self.temporary)?;
            return Ok(None);
        };
        put_notes(self.notes, &mut self.writer)?;
        let (bytes, checksums) = self.writer.into_inner()?.finish()?;
        let path = self.history_dir.join(&self.relative_path);
        disk::rename_durably(&self.temporary, &path)?;
        let written = Written { rows: self.rows, bytes, span, arrivals: self.arrivals, checksums };
        let id = (self.workspace, self.id);
        Ok(Some(Arc::new(Segment::on_disk(&self.history_dir, id, self.relative_path, self.month, written))))
    }
}

/// Puts the directory and the daily cells behind the last row group, and their places into the footer.
fn put_notes(notes: Notes, writer: &mut ArrowWriter<ChecksummedFile>) -> Result<(), ParquetError> {
    writer.flush()?;
    let (directory, (cells, index)) = notes.finish();
    let directory_at = writer.bytes_written();
    writer.write_all(&directory)?;
    let daily_at = writer.bytes_written();
    writer.write_all(&cells)?;
    writer.write_all(&index)?;
    let places = [
        (directory::PLACE_KEY, format!("{directory_at},{}", directory.len())),
        (daily::PLACE_KEY, format!("{daily_at},{},{}", cells.len(), index.len())),
    ];
    for (key, place) in places {
        writer.append_key_value_metadata(KeyValue::new(key.to_owned(), place));
    }
    Ok(())
}

fn properties(month: Option<Micros>, layout: Layout) -> WriterProperties {
    let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default());
    // A checkpoint's file is merged soon, and intake waits for it.
    let (compression, of_random) = match month {
        Some(_) => (zstd(ZSTD_LEVEL), zstd(ZSTD_LEVEL_RANDOM)),
        None => (Compression::SNAPPY, Compression::UNCOMPRESSED),
    };
    let column = |at: usize| ColumnPath::from(layout.written().field(at).name().as_str());
    let mut properties = WriterProperties::builder()
        .set_created_by("muster".to_owned())
        .set_compression(compression)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(64))
        .set_key_value_metadata(Some(vec![KeyValue::new(schema::VERSION_KEY.to_owned(), schema::VERSION.to_owned())]));
    let numbers = [schema::TIMESTAMP, schema::RECEIVED_AT, schema::ARRIVED];
    for number in numbers.into_iter().filter(|at| *at < layout.written().fields().len()) {
        properties = properties
            .set_column_dictionary_enabled(column(number), false)
            .set_column_encoding(column(number), Encoding::DELTA_BINARY_PACKED);
    }
    // Nearly every value is its own; a dictionary would only cost.
    for unique in [schema::MESSAGE_ID, schema::PROPERTIES, schema::TRAITS, schema::OTHER, schema::IDENTITY] {
        properties = properties
            .set_column_dictionary_enabled(column(unique), false)
            .set_column_statistics_enabled(column(unique), EnabledStatistics::None);
    }
    // Mostly random digits: looking for repetitions costs and finds none, and lengths between them only disturb.
    properties = properties
        .set_column_encoding(column(schema::MESSAGE_ID), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_compression(column(schema::MESSAGE_ID), of_random);
    properties.build()
}

/// Writes through to a file and takes the checksum of each block on the way.
struct ChecksummedFile {
    file: io::BufWriter<File>,
    block: Xxh3,
    block_filled: usize,
    checksums: Vec<u64>,
    bytes: u64,
}

impl ChecksummedFile {
    fn new(file: File) -> Self {
        let file = io::BufWriter::with_capacity(BLOCK_BYTES, file);
        ChecksummedFile { file, block: Xxh3::new(), block_filled: 0, checksums: Vec::new(), bytes: 0 }
    }

    fn end_block(&mut self) {
        self.checksums.push(self.block.digest());
        self.block.reset();
        self.block_filled = 0;
    }

    /// Syncs, and returns the length and the checksums.
    fn finish(mut self) -> io::Result<(u64, Vec<u64>)> {
        if self.block_filled > 0 {
            self.end_block();
        }
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok((self.bytes, self.checksums))
    }
}

impl Write for ChecksummedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_filled));
            self.block.update(now);
            self.block_filled += now.len();
            bytes = later;
            if self.block_filled == BLOCK_BYTES {
                self.end_block();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
