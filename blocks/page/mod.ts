/**
 * Building blocks of pages: HTML that escapes values, the frame and style, scales, line charts.
 * @module
 */
export * from "./html.ts";
export * from "./line_chart.ts";
export * from "./scale.ts";
export * from "./shell.ts";
