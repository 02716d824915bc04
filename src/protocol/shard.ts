/** The name of the object that holds an account. One object each, for now; whoever buckets accounts changes this function alone. */
export const shardOf = (sub: string): string => sub
