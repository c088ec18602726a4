'use strict';
(() => {
  const tip = document.getElementById('tip');
  const all = (root, query) => [...root.querySelectorAll(query)];

  // ---- tips: on hover and on focus -------------------------------------
  function words(mark) {
    const said = [mark.dataset.tip];
    if (mark.dataset.values) {
      const section = mark.closest('section');
      const rows = mark.dataset.values.split(';').map((x) => x.split(':'))
        .filter(([index]) => shown(section, index))
        .sort((a, b) => b[1] - a[1]);
      const some = rows.slice(0, 12);
      said.push(mark.dataset.unit);
      for (const [index, value] of some) {
        const row = section.querySelector(`tr[data-s="${index}"]`);
        said.push(`${(+value).toPrecision(3) * 1} ${row.dataset.name}`);
      }
      if (rows.length > some.length) {
        said.push(`and ${rows.length - some.length} more`);
      }
    }
    return said.join('\n');
  }
  function show(mark, x, y) {
    tip.textContent = words(mark);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - box.width - 6);
    let top = y + 16;
    if (top + box.height > innerHeight - 6) top = y - box.height - 12;
    tip.style.left = `${Math.max(6, left)}px`;
    tip.style.top = `${Math.max(6, top)}px`;
  }
  const hide = () => { tip.hidden = true; };
  document.addEventListener('pointermove', (event) => {
    const mark = event.target.closest && event.target.closest('.mark');
    if (mark) show(mark, event.clientX, event.clientY);
    else if (!document.activeElement.matches('.mark')) hide();
  });
  function follow() { // a focus may scroll: the tip stays with its mark
    const mark = document.activeElement;
    if (!mark.matches('.mark')) { hide(); return; }
    const box = mark.getBoundingClientRect();
    show(mark, box.left + box.width / 2, box.top + box.height / 2);
  }
  document.addEventListener('focusin', follow);
  document.addEventListener('scroll', follow, true);

  // ---- charts: one stop of the Tab key each, arrows inside --------------
  for (const chart of all(document, 'svg.chart')) {
    const title = chart.querySelector(':scope > title');
    if (title) { // the browser would show it as a tip of its own
      chart.setAttribute('aria-label', title.textContent);
      title.remove();
    }
    all(chart, '.mark').forEach((mark, i) => { mark.tabIndex = i ? -1 : 0; });
    chart.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1,
        ArrowUp: -1 }[event.key];
      if (event.key === 'Escape') hide();
      if (!step) return;
      event.preventDefault();
      const marks = all(chart, '.mark:not([hidden])');
      const at = marks.indexOf(document.activeElement);
      const next = marks[(at + step + marks.length) % marks.length];
      document.activeElement.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }

  // ---- tables: sorted by a click on a name ------------------------------
  for (const button of all(document, 'thead button')) {
    button.addEventListener('click', () => {
      const head = button.closest('th');
      const body = head.closest('table').tBodies[0];
      const up = head.getAttribute('aria-sort') !== 'ascending';
      for (const other of head.parentNode.cells) {
        other.setAttribute('aria-sort', 'none');
      }
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const value = (row) => row.cells[head.cellIndex].dataset.v;
      const order = (a, b) => {
        const x = value(a), y = value(b);
        if (x === undefined || y === undefined) { // what is empty comes last
          return (x === undefined) - (y === undefined);
        }
        const off = x - y || (isNaN(x - y) ? x.localeCompare(y, 'en',
          { numeric: true }) : 0);
        return up ? off : -off;
      };
      body.append(...[...body.rows].sort(order));
    });
  }

  // ---- filters -----------------------------------------------------------
  const rowOf = (section, index) =>
    section.querySelector(`tr[data-s="${index}"]`);
  const shown = (section, index) => !rowOf(section, index).hidden;
  function filter(section) {
    const off = all(section, '.chip input:not(:checked)');
    const search = section.querySelector('input[type=search]');
    const wanted = search.value.trim().toLowerCase();
    let left = 0;
    for (const row of all(section, 'tr[data-s]')) {
      const out = off.some((box) => row.dataset[box.name] === box.value);
      row.hidden = out || !row.dataset.name.toLowerCase().includes(wanted);
      left += !row.hidden;
    }
    for (const mark of all(section, 'svg [data-s]')) {
      mark.toggleAttribute('hidden', !shown(section, mark.dataset.s));
    }
    for (const chart of all(section, 'svg.bars')) {
      const row = +chart.dataset.row, top = +chart.dataset.top;
      const bars = all(chart, '.mark:not([hidden])');
      bars.forEach((bar, i) => {
        bar.setAttribute('transform', `translate(0,${top + row * i})`);
      });
      chart.setAttribute('height', top + row * bars.length);
    }
    for (const chart of all(section, 'svg.chart')) {
      const marks = all(chart, '.mark');
      const first = marks.find((mark) => !mark.hasAttribute('hidden'));
      marks.forEach((mark) => { mark.tabIndex = mark === first ? 0 : -1; });
    }
    section.querySelector('.count').textContent =
      `${left} of ${all(section, 'tr[data-s]').length} settings shown`;
  }
  for (const section of all(document, 'section')) {
    section.addEventListener('input', (event) => {
      if (event.target.matches('.chip input, input[type=search]')) {
        filter(section);
      }
    });
  }

  // ---- images ------------------------------------------------------------
  for (const copy of all(document, 'img[data-same]')) {
    copy.src = document.getElementById(copy.dataset.same).src;
  }
  for (const select of all(document, 'select.panels')) {
    select.addEventListener('change', () => {
      for (const panel of all(select.closest('.images'), '[data-panel]')) {
        panel.hidden = panel.dataset.panel !== select.value;
      }
    });
  }
  const dialog = document.querySelector('dialog');
  document.addEventListener('click', (event) => {
    const button = event.target.closest('.pair button');
    if (button) {
      dialog.querySelector('img').src = button.querySelector('img').src;
      dialog.querySelector('p').textContent = button.dataset.title;
      dialog.showModal();
    } else if (event.target === dialog) {
      dialog.close();
    }
  });
})();
