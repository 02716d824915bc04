/** A refusal before any message was read (JSON-RPC 2.0, 5.1): it belongs to no request. */
export const rpcError = (code: number, message: string) => ({ jsonrpc: '2.0', id: null, error: { code, message } })
