//! What may be wrong with a picture.

use serde::{Deserialize, Serialize};

/// How a picture breaks the rules of its format. The names follow ClamAV's (`Heuristics.Broken.Media.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the last word of its name")]
#[non_exhaustive]
pub enum MediaFault {
    GifMissingImageData,
    GifTruncatedExtension,
    GifTruncatedExtensionSubBlock,
    GifTruncatedGlobalColorTable,
    GifTruncatedImageDataBlock,
    GifTruncatedImageDescriptor,
    GifTruncatedScreenDescriptor,
    GifUnknownBlockLabel,
    JpegCantReadSegmentSize,
    JpegExifDupAppMarker,
    JpegExifHeaderBadPosition,
    JpegInvalidSegmentSize,
    JpegJfifDupAppMarker,
    JpegJfifMarkerBadPosition,
    JpegSegmentDataOutOfFile,
    JpegSpiffDupAppMarker,
    JpegSpiffMarkerBadPosition,
    JpegSpuriousBytesBeforeSegment,
    PngEofReadingChunk,
    PngEofReadingChunkCrc,
    PngEofReadingChunkType,
    PngInvalidChunkLength,
    TiffEofReadingFirstIfdOffset,
    TiffEofReadingIfdEntry,
    TiffEofReadingNextIfdOffset,
    TiffEofReadingNumberOfEntries,
    TiffInvalidIfdOffset,
    TiffOutOfBoundsAccess,
    TiffOutOfOrderIfdOffset,
}

impl MediaFault {
    /// The name shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MediaFault::GifMissingImageData => "Heuristics.Broken.Media.GIF.MissingImageData",
            MediaFault::GifTruncatedExtension => "Heuristics.Broken.Media.GIF.TruncatedExtension",
            MediaFault::GifTruncatedExtensionSubBlock => "Heuristics.Broken.Media.GIF.TruncatedExtensionSubBlock",
            MediaFault::GifTruncatedGlobalColorTable => "Heuristics.Broken.Media.GIF.TruncatedGlobalColorTable",
            MediaFault::GifTruncatedImageDataBlock => "Heuristics.Broken.Media.GIF.TruncatedImageDataBlock",
            MediaFault::GifTruncatedImageDescriptor => "Heuristics.Broken.Media.GIF.TruncatedImageDescriptor",
            MediaFault::GifTruncatedScreenDescriptor => "Heuristics.Broken.Media.GIF.TruncatedScreenDescriptor",
            MediaFault::GifUnknownBlockLabel => "Heuristics.Broken.Media.GIF.UnknownBlockLabel",
            MediaFault::JpegCantReadSegmentSize => "Heuristics.Broken.Media.JPEG.CantReadSegmentSize",
            MediaFault::JpegExifDupAppMarker => "Heuristics.Broken.Media.JPEG.ExifDupAppMarker",
            MediaFault::JpegExifHeaderBadPosition => "Heuristics.Broken.Media.JPEG.ExifHeaderBadPosition",
            MediaFault::JpegInvalidSegmentSize => "Heuristics.Broken.Media.JPEG.InvalidSegmentSize",
            MediaFault::JpegJfifDupAppMarker => "Heuristics.Broken.Media.JPEG.JFIFdupAppMarker",
            MediaFault::JpegJfifMarkerBadPosition => "Heuristics.Broken.Media.JPEG.JFIFmarkerBadPosition",
            MediaFault::JpegSegmentDataOutOfFile => "Heuristics.Broken.Media.JPEG.SegmentDataOutOfFile",
            MediaFault::JpegSpiffDupAppMarker => "Heuristics.Broken.Media.JPEG.SPIFFdupAppMarker",
            MediaFault::JpegSpiffMarkerBadPosition => "Heuristics.Broken.Media.JPEG.SPIFFmarkerBadPosition",
            MediaFault::JpegSpuriousBytesBeforeSegment => "Heuristics.Broken.Media.JPEG.SpuriousBytesBeforeSegment",
            MediaFault::PngEofReadingChunk => "Heuristics.Broken.Media.PNG.EOFReadingChunk",
            MediaFault::PngEofReadingChunkCrc => "Heuristics.Broken.Media.PNG.EOFReadingChunkCRC",
            MediaFault::PngEofReadingChunkType => "Heuristics.Broken.Media.PNG.EOFReadingChunkType",
            MediaFault::PngInvalidChunkLength => "Heuristics.Broken.Media.PNG.InvalidChunkLength",
            MediaFault::TiffEofReadingFirstIfdOffset => "Heuristics.Broken.Media.TIFF.EOFReadingFirstIFDOffset",
            MediaFault::TiffEofReadingIfdEntry => "Heuristics.Broken.Media.TIFF.EOFReadingIFDEntry",
            // ClamAV's own slip of the pen.
            MediaFault::TiffEofReadingNextIfdOffset => "Heuristics.Broken.Media.TIFF.EOFReadingChunkCRC",
            MediaFault::TiffEofReadingNumberOfEntries => {
                "Heuristics.Broken.Media.TIFF.EOFReadingNumIFDDirectoryEntries"
            }
            MediaFault::TiffInvalidIfdOffset => "Heuristics.Broken.Media.TIFF.InvalidIFDOffset",
            MediaFault::TiffOutOfBoundsAccess => "Heuristics.Broken.Media.TIFF.OutOfBoundsAccess",
            MediaFault::TiffOutOfOrderIfdOffset => "Heuristics.Broken.Media.TIFF.OutOfOrderIFDOffset",
        }
    }
}
