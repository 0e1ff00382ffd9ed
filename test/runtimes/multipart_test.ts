import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formParts, textOf } from "../../runtimes/http/multipart.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function* inPieces(all: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

type Field = readonly [name: string, filename: string | undefined, text: string];

async function fieldsOf(all: Uint8Array, type: string, size: number): Promise<Field[]> {
  const fields: Field[] = [];
  for await (const part of formParts(inPieces(all, size), type)) {
    fields.push([part.name, part.filename, await textOf(part)]);
  }
  return fields;
}

describe("a form that comes in pieces", () => {
  it("is what the runtime makes of it, whatever the pieces", async () => {
    const form = new FormData();
    form.set("purpose", "fine-tune");
    form.set("file", new File(["a\r\n--b\r\n\r\r\n--", new Uint8Array(300).fill(0x0d)], 'a "name".jsonl'));
    form.set("empty", new File([], "none"));
    form.set("expires_after[seconds]", "3600");
    const request = new Response(form);
    const type = request.headers.get("content-type") ?? "";
    const all = new Uint8Array(await request.arrayBuffer());
    const expected: Field[] = [];
    for (const [name, value] of form) {
      expected.push(value instanceof File ? [name, value.name, await value.text()] : [name, undefined, value]);
    }
    for (const size of [1, 2, 3, 7, 61, 64, 127, all.length]) {
      assert.deepEqual(await fieldsOf(all, type, size), expected, `pieces of ${size}`);
    }
  });

  it("is refused where it ends early, has no boundary, or never ends its headers", async () => {
    const type = "multipart/form-data; boundary=x";
    const head = '--x\r\nContent-Disposition: form-data; name="a"\r\n';
    const whole = `${head}\r\nb\r\n--x--\r\n`;
    assert.deepEqual(await fieldsOf(bytes(whole), type, 5), [["a", undefined, "b"]]);
    for (
      const [text, own] of [
        [whole.slice(0, -6), type],
        [whole, "multipart/form-data"],
        [whole.replace("name=", "nam="), type],
        [head + "X: ".repeat(10_000), type],
        [`${head}\r\nb\r\n`.repeat(70), type],
        ["", type],
      ] as const
    ) {
      await assert.rejects(() => fieldsOf(bytes(text), own, 50), { status: 400 });
    }
  });
});
