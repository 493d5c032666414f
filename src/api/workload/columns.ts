/** Cells of everything that has a pod template. */
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import type { LabelSelector } from '../../kube/api/meta-v1.js';
import { labelsText, selectorText } from '../../kube/label-selector.js';
import { column } from '../columns.js';
import type { AnyObject, Column } from '../kind.js';

/** `-o wide` only: containers and images, each separated by commas. */
export function templateColumns(template: (object: AnyObject) => PodTemplateSpec | undefined, priority = 1): Column[] {
  const containers = (object: AnyObject) => template(object)?.spec?.containers ?? [];
  return [
    column(
      'Containers',
      object =>
        containers(object)
          .map(({ name }) => name)
          .join(','),
      priority,
    ),
    column(
      'Images',
      object =>
        containers(object)
          .map(({ image }) => image ?? '')
          .join(','),
      priority,
    ),
  ];
}

export function selectorColumn(selector: (object: AnyObject) => LabelSelector | undefined): Column {
  return column('Selector', object => selectorText(selector(object)) || '<none>', 1);
}

export function labelsColumn(
  name: string,
  labels: (object: AnyObject) => Readonly<Record<string, string>> | undefined,
  priority = 0,
): Column {
  return column(name, object => labelsText(labels(object)) || '<none>', priority);
}
