/** Compiles the kernels: `npm run kernels` writes kernels.wasm and bytes.ts. */
import asc from "assemblyscript/asc";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

/** Compiles the module from source and returns its bytes. Throws Error with the compiler's messages. */
export async function compileKernels(): Promise<Uint8Array> {
  const folder = new URL("../core/kernels/source/", import.meta.url);
  const sources = new Map(
    readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), "utf8")] as const),
  );
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      "kernels.ts",
      "--outFile",
      "kernels.wasm",
      "-O3",
      "--runtime",
      "stub",
      "--importMemory",
      "--noAssert",
      "--noExportMemory",
      "--enable",
      "simd,bulk-memory",
    ],
    {
      readFile: (name) => sources.get(name) ?? null,
      writeFile: (name, contents) => {
        if (name === "kernels.wasm") binary = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`${error?.message ?? "no output"}\n${stderr.toString()}`);
  return binary;
}

/** Returns the text of bytes.ts for a module. */
export function bytesModule(bytes: Uint8Array): string {
  return `/**\n * The kernels' module as base64, for hosts that compile bytes. Written by build/kernels.ts.\n * @module\n */\n\n` +
    `/** Base64 of kernels.wasm. */\nexport const base64: string =\n  "${btoa(String.fromCharCode(...bytes))}";\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bytes = await compileKernels();
  writeFileSync(new URL("../core/kernels/kernels.wasm", import.meta.url), bytes);
  writeFileSync(new URL("../core/kernels/bytes.ts", import.meta.url), bytesModule(bytes));
  console.log(`${bytes.length} bytes`);
}
