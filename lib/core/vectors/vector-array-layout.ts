/**
 * Sizes of the parts of a binary `vector[]`, in bytes.
 * PostgreSQL's `array_recv` and pgvector's `vector_recv` read, all big-endian: int32 dimensions of
 * the array (1), int32 whether it has NULLs, int32 element OID, int32 count, int32 lower bound (1);
 * then per element int32 bytes (−1: NULL), int16 dimensions, int16 0, float32 each. An empty array
 * ends after the OID, with 0 dimensions.
 */
export const VECTOR_ARRAY = { headerBytes: 20, emptyBytes: 12, oidOffset: 8, elementHeaderBytes: 4 } as const;
