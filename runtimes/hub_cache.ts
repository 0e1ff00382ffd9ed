/** interim */
export function hubCache(_env: unknown): undefined { return undefined; }
