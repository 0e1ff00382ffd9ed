/**
 * Pastes the README, block by block and as it is written, in a fresh clone and in a project of its own:
 * `node test/readme.ts --node PATH [--node PATH]... [--modules DIR]`. Each `--node` is a Node to do it with (default: the
 * one that runs this). `--modules`: a node_modules to link in place of the clone's first block, which installs.
 *
 * A block of JavaScript is saved under the name in its first line. A block of shell is handed to sh; one that ends in a
 * server or a runner stays until its section ends, and the next waits until it is ready. `# or:` behind a command names
 * others for Bun and Deno, which are run, too.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** One block of code. `section`: its heading of the second level. */
type Block = Readonly<{ section: string; language: string; text: string; line: number }>;

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    node: { type: "string", multiple: true, default: [process.execPath] },
    modules: { type: "string" },
  },
});
/** What the sections need that only one of the places has. */
const [CLONE, PROJECT] = ["Attune", "In a project of your own"];
/** Seconds that a block may take. */
const LIMIT = 400;

function blocksOf(readme: string): Block[] {
  const blocks: Block[] = [];
  let section = "";
  let open: { language: string; lines: string[]; line: number } | undefined;
  for (const [i, line] of readme.split("\n").entries()) {
    if (line.startsWith("```")) {
      if (open) blocks.push({ section, language: open.language, text: open.lines.join("\n"), line: open.line });
      open = open ? undefined : { language: line.slice(3), lines: [], line: i + 2 };
    } else if (open) open.lines.push(line);
    else if (/^##? /.test(line)) section = line.replace(/^##? /, "");
  }
  return blocks;
}

/** A folder with this Node, Bun and Deno by name, and the machine's npm, which run with it. */
function pathWith(node: string): string {
  const folder = mkdtempSync(join(tmpdir(), "attune-path-"));
  const here = (name: string): string => join(root, "node_modules", ".bin", name);
  const which = (name: string): string => execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
  const programs = { node, bun: here("bun"), deno: here("deno"), npm: which("npm"), npx: which("npx") };
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(folder, name));
  return `${folder}:${process.env.PATH}`;
}

type Terminal = Readonly<{ child: ChildProcess; output: () => string; ended: Promise<number | null> }>;

function terminal(text: string, cwd: string, path: string): Terminal {
  // A group of its own, so that what a block starts ends with it.
  const child = spawn("sh", ["-ec", text], {
    cwd,
    env: { ...process.env, PATH: path, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Uint8Array) => (output += new TextDecoder().decode(chunk)));
  }
  return { child, output: () => output, ended: new Promise((resolve) => child.on("close", resolve)) };
}

function end({ child }: Terminal, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // it has ended
  }
}

async function within<T>(seconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), 1000 * seconds)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a block is a server or a runner, which goes on until it is told to end; and what it says when it is ready. */
const ready = (text: string): RegExp | undefined =>
  /^npx attune serve/m.test(text) ? /listening/ : /^npx attune runner/m.test(text) ? /waiting for jobs/ : undefined;

/** What `# or:` names behind the commands of a block. */
const alternatives = (text: string): string[] =>
  text.split("\n").flatMap((line) => line.split(/[#;] or: /).slice(1).map((command) => command.trim()));

/** Pastes the blocks of a place, in order. Throws where one does not do what it says. */
async function paste(blocks: readonly Block[], folder: string, path: string): Promise<void> {
  let background: Terminal[] = [];
  let section = "";
  const close = async (): Promise<void> => {
    for (const one of background) end(one, "SIGTERM");
    for (const one of background) await within(10, one.ended) ?? end(one, "SIGKILL");
    background = [];
  };
  try {
    for (const { language, text, line, section: own } of blocks) {
      if (own !== section) await close();
      section = own;
      const start = performance.now();
      const wrong = (why: string, output: string): Error => {
        const others = background.map((one) => `--- in another terminal:\n${one.output()}`).join("\n");
        return new Error(`README.md, line ${line}: ${why}\n${text}\n---\n${output}\n${others}`);
      };
      if (language === "js" || language === "ts") {
        const name = /^\/\/ (\S+)$/m.exec(text.split("\n")[0] ?? "")?.[1];
        if (!name) throw wrong("its first line does not say under which name to save it", "");
        writeFileSync(join(folder, name), `${text}\n`);
        continue;
      }
      if (language !== "sh") continue;
      const wanted = ready(text);
      for (const command of [text, ...alternatives(text)]) {
        const one = terminal(command, folder, path);
        if (wanted) {
          background.push(one);
          for (let i = 0; i < 600 && !wanted.test(one.output()) && one.child.exitCode === null; i++) {
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
          if (!wanted.test(one.output())) throw wrong("is not ready within a minute", one.output());
          continue;
        }
        const code = await within(LIMIT, one.ended);
        end(one, "SIGKILL");
        if (code !== 0) {
          throw wrong(code === undefined ? `takes more than ${LIMIT} s` : `ends with ${code}`, one.output());
        }
      }
      console.log(`  line ${line}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
  } finally {
    await close();
  }
}

const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"));
const common = blocks.filter(({ section }) => section !== CLONE && section !== PROJECT);
const setUp = blocks.filter(({ section }) => section === CLONE);
const installing = blocks.filter(({ section, language }) => section === PROJECT && language === "sh").slice(0, 1);
const first = blocks.filter((block) => block.section === PROJECT && !installing.includes(block));
if (setUp.length !== 1 || installing.length !== 1) throw new Error("README.md has no block that installs");

const work = mkdtempSync(join(tmpdir(), "attune-readme-"));
try {
  const clone = join(work, "attune");
  execFileSync("git", ["clone", "-q", root, clone]);
  if (values.modules) symlinkSync(values.modules, join(clone, "node_modules"));
  for (const [i, node] of values.node.entries()) {
    const path = pathWith(node);
    const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
    if (i === 0 && !values.modules) {
      console.log(`Node ${version}, in a clone: install`);
      await paste(setUp, clone, path);
    }
    console.log(`Node ${version}, in a clone`);
    await paste([...first, ...common], clone, path);
    console.log(`Node ${version}, in a project`);
    await paste(installing, clone, path);
    const project = join(work, "my-project");
    if (!existsSync(join(project, "node_modules", "attune"))) throw new Error(`${project} has no package attune`);
    await paste([...first, ...common], project, path);
    rmSync(project, { recursive: true, force: true });
    execFileSync("git", ["clean", "-qxfd", "-e", "node_modules"], { cwd: clone });
    rmSync(path.split(":")[0] ?? "", { recursive: true });
  }
  console.log("every block of README.md works");
} finally {
  rmSync(work, { recursive: true, force: true });
}
