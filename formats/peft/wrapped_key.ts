/** Keys of the parameters of modules that PEFT has wrapped. */

/** What stands in front of a key for a model's name. */
export const PREFIX = "base_model.model.";

/** What stands in a key between a module and its parameter where PEFT has wrapped the module. */
export const wrappedLayer = ".base_layer.";

/** Keys of a file for parameters of a model some of whose modules are wrapped; what is the wrapper's own stands beside. */
export function wrappedKey(isWrapped: (path: string) => boolean): (name: string) => string {
  return (name) => {
    const dot = name.lastIndexOf(".");
    const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
    const inside = (part === "weight" || part === "bias") && isWrapped(path);
    return PREFIX + (inside ? path + wrappedLayer + part : name);
  };
}
