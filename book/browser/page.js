// What is measured in a page: its width, and the contrast of each text with what is behind it, in both themes.
// WCAG 2.1: 4.5 to 1 (success criterion 1.4.3), for large texts 3 to 1.
(async () => {
    const THEMES = ['light', 'navy'];

    // Nothing may be on its way from one colour to another while it is measured.
    const still = document.createElement('style');
    still.textContent = '* { transition: none !important; animation: none !important }';
    document.head.append(still);

    const channels = (colour) => {
        const numbers = (colour.match(/[\d.]+/g) || []).map(Number);
        return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
    };
    const over = (front, back) => front.rgb.map((value, i) => value * front.alpha + back[i] * (1 - front.alpha));
    // WCAG 2.1, "relative luminance".
    const luminance = (rgb) => {
        const [r, g, b] = rgb.map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            const layer = channels(getComputedStyle(at).backgroundColor);
            layers.push(layer);
            if (layer.alpha === 1) break;
        }
        return layers.reduceRight((back, layer) => over(layer, back), [255, 255, 255]);
    };
    const large = (style) => {
        const size = parseFloat(style.fontSize);
        return size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    };

    let texts = 0;
    const faint = new Map();
    const measure = (theme) => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const element = node.parentElement;
            if (!node.data.trim() || element.closest('script, style, noscript, title, option')) continue;
            if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
            const style = getComputedStyle(element);
            const back = behind(element);
            const front = over(channels(element.closest('svg') ? style.fill : style.color), back);
            const ratio = contrast(front, back);
            texts += 1;
            if (ratio < (large(style) ? 3 : 4.5)) {
                const what = `${theme}, ${element.localName}.${element.className.baseVal ?? element.className}`;
                const colours = [front, back].map((rgb) => `rgb(${rgb.map(Math.round)})`).join(' on ');
                const key = `${what}: ${colours} is ${ratio.toFixed(2)}`;
                if (!faint.has(key)) faint.set(key, node.data.trim().slice(0, 30));
            }
        }
    };
    for (const theme of THEMES.toReversed()) {
        await wear(theme);
        measure(theme);
    }

    const width = document.scrollingElement.scrollWidth;
    const out = [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
    const name = (e) => `${e.localName}.${e.className.baseVal ?? e.className} ${e.textContent.trim().slice(0, 20)}`;
    return {
        width,
        wide: width > innerWidth ? out.slice(0, 5).map(name) : [],
        faint: [...faint].map(([what, text]) => `${what}: "${text}"`),
        texts,
    };
})()
