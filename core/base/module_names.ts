/**
 * Names of modules as PEFT takes them.
 * @module
 */

/** Whether a module's path, or one around it, ends with one of some names, without a dot: "classifier" also means "pre_classifier". */
export function isModuleNamed(path: string, names: readonly string[]): boolean {
  const parts = path.split(".");
  return parts.some((_, i) => {
    const around = parts.slice(0, i + 1).join(".");
    return names.some((name) => around.endsWith(name));
  });
}
