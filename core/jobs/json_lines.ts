/**
 * Checks JSON lines byte by byte as they arrive. Nothing is stored or parsed, so that long files need no memory.
 */
import { badFile } from "../base/errors.ts";
import { jsonLine } from "./json_line.ts";
import { utf8Check } from "./utf8.ts";

/** A check of JSON lines as they arrive. */
export interface LineCheck {
  /** Checks bytes. Throws AttuneError (`BAD_FILE`) that names the first line that is not a JSON object in UTF-8. */
  push(bytes: Uint8Array): void;
  /** Returns the number of rows. Throws like `push`, and if there are no rows. */
  end(): number;
}

/** Maximum bytes of a line; longer lines are refused. */
const MAX_LINE = 2 ** 21;

/** Creates the check of a file of JSON lines; `file` is its name in messages. */
export function lineCheck(file: string): LineCheck {
  const line = jsonLine();
  const utf8 = utf8Check();
  let [rows, number, length, mark] = [0, 1, 0, 0];
  const wrong = (problem: string): never => {
    throw badFile("jobs", `${file}, line ${number}`, problem);
  };
  const finish = (): void => {
    const kind = line.end();
    if (kind === "broken" || !utf8.isWhole()) wrong("is not JSON in UTF-8 (it ends too early)");
    if (kind === "other") wrong("is not a JSON object");
    if (kind === "object") rows++;
    [number, length] = [number + 1, 0];
  };
  return {
    push: (bytes) => {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i] as number;
        // The file may start with a byte order mark.
        if (number === 1 && mark === length && byte === [0xef, 0xbb, 0xbf][mark]) {
          mark++;
          length++;
          continue;
        }
        if (number === 1 && mark === length && mark > 0 && mark < 3) {
          wrong("is not JSON in UTF-8 (its bytes are not text)");
        }
        const plain = utf8.isWhole() ? line.plainUntil(bytes, i) : i;
        if (plain > i) {
          length += plain - i;
          i = plain - 1;
          continue;
        }
        if (byte === 0x0a) {
          finish();
          continue;
        }
        if (++length > MAX_LINE) wrong(`is longer than ${MAX_LINE} bytes`);
        if (!utf8.takes(byte)) wrong("is not JSON in UTF-8 (its bytes are not text)");
        const problem = line.takes(byte);
        if (problem !== undefined) wrong(problem);
      }
    },
    end: () => {
      finish();
      if (rows === 0) throw badFile("jobs", file, "has no rows");
      return rows;
    },
  };
}
