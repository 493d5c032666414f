/** A small live line of one value over two minutes. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface ChartProps {
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly max: number;
  readonly colour: string;
  readonly label: string;
}

export function Chart({ times, values, max, colour, label }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    if (!box.current) return;
    const colourValue = getComputedStyle(box.current).getPropertyValue(colour) || '#1f7a8c';
    plot.current = new uPlot(
      {
        width: box.current.clientWidth || 260,
        height: 56,
        pxAlign: false,
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: true }, y: { range: [0, max || 1] } },
        series: [{}, { stroke: colourValue, width: 1.5, fill: `${colourValue.trim()}22`, points: { show: false } }],
      },
      [[], []],
      box.current,
    );
    return () => plot.current?.destroy();
  }, [max, colour]);
  useEffect(() => plot.current?.setData([[...times], [...values]]), [times, values]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}
