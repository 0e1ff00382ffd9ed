/**
 * Building blocks of transforms: one row at a time, changed texts, expressions, groups of rows.
 * @module
 */
export * from "./apply_changes.ts";
export * from "./augment_row.ts";
export * from "./changed_text.ts";
export * from "./clean_text.ts";
export * from "./contamination.ts";
export * from "./duplicates.ts";
export * from "./each_row.ts";
export * from "./expression.ts";
export * from "./groups.ts";
export * from "./inflection.ts";
export * from "./near_pairs.ts";
export * from "./personal_data.ts";
export * from "./quality.ts";
export * from "./row_texts.ts";
export * from "./word_changes.ts";
export * from "./word_forms.ts";
export * from "./wordnet.ts";
export * from "./words.ts";
