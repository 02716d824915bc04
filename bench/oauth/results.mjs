export const tables = (r) => JSON.stringify(Object.groupBy(r.samples, (s) => s.name))
export const markdown = () => ''
