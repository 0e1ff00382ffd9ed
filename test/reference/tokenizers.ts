/** interim */
export async function checkTokenizerReference(_path: string): Promise<{ items: { name: string; ok: boolean; detail: string }[] }> { return { items: [] }; }
