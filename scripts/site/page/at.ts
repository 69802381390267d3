/** The address of a file beside the site's scripts. */
export const at = (file: string): string => new URL(file, import.meta.url).href;
