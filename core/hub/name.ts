/** Names of repositories on the hub. */

/** Parses `org/name[@revision]`; undefined if the text is not a name of the hub. Names never contain `..` or `--`. */
export function hubName(path: string): Readonly<{ repo: string; revision: string }> | undefined {
  const segment = String.raw`\w(?:[\w.-]{0,94}\w)?`;
  const parts = new RegExp(`^((?:${segment}/)?${segment})(?:@(\\w[\\w./-]{0,254}))?$`).exec(path);
  if (!parts || /\.\.|--|\/\/|\/$/.test(path)) return undefined;
  const [, repo = "", revision = "main"] = parts;
  return { repo, revision };
}
