/** interim */
export const cos = (x: number): number => Math.cos(x);
export const pow = (x: number, y: number): number => Math.pow(x, y);
