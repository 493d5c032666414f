/** What sockets want of a URL. Pure. */

/** An IPv6 address is in brackets in a URL, and nowhere else. */
export const socketHost = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');
