/** TensorBoard's event files: framed records, each a protobuf message `Event`. */
import { writeProto } from "../../../core/onnx/proto_writer.ts";

const POLYNOMIAL = 0x82f63b78; // Castagnoli's, reflected
const MASK = 0xa282ead8;
const STRING = 7; // DataType.DT_STRING
const SESSION_START = 1;

const table: Uint32Array = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
  return c;
});

/** Returns the CRC-32C of bytes. */
export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (table[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Masks a checksum (rotates it, adds a constant), since checksums of data with checksums are weak. */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK) >>> 0;
}

/** A record: length (8 bytes, little-endian), its checksum, data, its checksum. */
function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length, true);
  view.setUint32(8, maskCrc(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskCrc(crc32c(data)), true);
  return bytes;
}

/** Returns the first record of every file. `time`: seconds since 1970. */
export function versionRecord(time: number): Uint8Array {
  return event((w) => {
    w.double(1, time);
    w.string(3, "brain.Event:2");
  });
}

/** Returns a record that invalidates what other files have from `step` on. */
export function restartRecord(time: number, step: number): Uint8Array {
  return event((w) => {
    w.double(1, time);
    w.int(2, step);
    w.message(7, (session) => session.int(1, SESSION_START));
  });
}

/** Returns a record of numbers by tag at a step. */
export function scalarsRecord(
  time: number,
  step: number,
  scalars: readonly (readonly [tag: string, value: number])[],
): Uint8Array {
  return event((w) => {
    w.double(1, time);
    w.int(2, step);
    w.message(5, (summary) => {
      for (const [tag, value] of scalars) {
        summary.message(1, (entry) => {
          entry.string(1, tag);
          entry.float(2, value);
        });
      }
    });
  });
}

/** Returns a record of a text, shown as Markdown. */
export function textRecord(time: number, step: number, tag: string, text: string): Uint8Array {
  return event((w) => {
    w.double(1, time);
    w.int(2, step);
    w.message(5, (summary) =>
      summary.message(1, (entry) => {
        entry.string(1, tag);
        entry.message(8, (tensor) => {
          tensor.int(1, STRING);
          tensor.message(2, (shape) => shape.message(2, (dim) => dim.int(1, 1)));
          tensor.string(8, text);
        });
        entry.message(9, (metadata) => metadata.message(1, (plugin) => plugin.string(1, "text")));
      }));
  });
}

function event(write: Parameters<typeof writeProto>[1]): Uint8Array {
  return record(writeProto("tensorboard", write));
}
