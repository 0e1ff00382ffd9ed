/**
 * What pages are made of: HTML that escapes by itself, their frame and style, scales, curves.
 * @module
 */
export * from "./html.ts";
export * from "./line_chart.ts";
export * from "./scale.ts";
export * from "./shell.ts";
