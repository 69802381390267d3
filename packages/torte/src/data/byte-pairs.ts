/** Byte-pair encoding (Sennrich, Haddow, Birch 2016): the most frequent pair of neighbours becomes one token, again and again. */

type Merge = readonly [string, string];

/** Texts fall into words, each with the blank before it, so that no token goes across words. */
const wordsOf = (text: string): readonly string[] => text.match(/\s?[^\s]+|\s+/gu) ?? [];

interface Word {
  readonly count: number;
  tokens: readonly string[];
}

/**
 * Characters, and merges of pairs until there are `size` tokens or no pair comes twice. Of pairs that are as frequent, the first
 * in the order of their letters.
 */
export function learnMerges(
  texts: readonly string[],
  size: number,
): { readonly merges: readonly Merge[]; readonly vocabulary: readonly string[] } {
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].map(([word, count]): Word => ({ count, tokens: [...word] }));
  const vocabulary = [...new Set(words.flatMap(({ tokens }) => tokens))].sort();
  const merges: Merge[] = [];
  while (vocabulary.length < size) {
    const best = mostFrequent(words);
    if (best === undefined) break;
    merges.push(best);
    const token = best.join("");
    if (!vocabulary.includes(token)) vocabulary.push(token);
    for (const word of words) word.tokens = merged(word.tokens, best);
  }
  return { merges, vocabulary };
}

function mostFrequent(words: readonly Word[]): Merge | undefined {
  const pairs = new Map<string, { readonly pair: Merge; count: number }>();
  for (const { tokens, count } of words)
    for (let i = 1; i < tokens.length; i++) {
      const pair: Merge = [tokens[i - 1] ?? "", tokens[i] ?? ""];
      const key = `${pair[0].length} ${pair[0]}${pair[1]}`;
      const known = pairs.get(key);
      if (known === undefined) pairs.set(key, { pair, count });
      else known.count += count;
    }
  const order = ({ pair: [a, b] }: { readonly pair: Merge }): string => `${a}\0${b}`;
  let best: { readonly pair: Merge; readonly count: number } | undefined;
  for (const entry of pairs.values())
    if (best === undefined || entry.count > best.count || (entry.count === best.count && order(entry) < order(best)))
      best = entry;
  return best === undefined || best.count < 2 ? undefined : best.pair;
}

function merged(tokens: readonly string[], [a, b]: Merge): readonly string[] {
  const result: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === a && tokens[i + 1] === b) {
      result.push(a + b);
      i++;
    } else result.push(tokens[i] ?? "");
  }
  return result;
}

/** The text's tokens: its characters, with the merges applied in the order in which they were learnt. */
export function mergeAll(text: string, merges: readonly Merge[]): readonly string[] {
  return wordsOf(text).flatMap((word) => {
    let tokens: readonly string[] = [...word];
    for (const merge of merges) if (tokens.length > 1) tokens = merged(tokens, merge);
    return tokens;
  });
}
