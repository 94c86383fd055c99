// Markup as an independent parser (expat, through Python) reads it; what is not well-formed is an error.
import { execFileSync } from 'node:child_process';

export interface Element {
  /** Without a namespace. */
  tag: string;
  attributes: Record<string, string>;
  /** Of the element itself and of everything in it. */
  text: string;
  /** Tags of the elements around it, the outermost first. */
  path: string[];
}

const READ = `
import json, sys, xml.etree.ElementTree as tree
found = []
def walk(element, path):
    tag = element.tag.split('}')[-1]
    found.append({'tag': tag, 'attributes': dict(element.attrib), 'text': ''.join(element.itertext()), 'path': path})
    for child in element:
        walk(child, path + [tag])
walk(tree.fromstring(sys.stdin.buffer.read()), [])
json.dump(found, sys.stdout)
`;

/** All elements, in the order in which they begin. */
export function parseMarkup(text: string): Element[] {
  const printed = execFileSync('python3', ['-c', READ], {
    input: text,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  return JSON.parse(printed) as Element[];
}
