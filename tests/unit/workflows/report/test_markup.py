from kpcli.workflows.report.markup import Markup, data, facts, name, table, tag, text


def test_what_is_no_markup_is_escaped() -> None:
    assert (
        tag("td", "<script>alert(1)</script>") == "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>"
    )
    assert tag("a", "x", title='"><img src=x>') == '<a title="&quot;&gt;&lt;img src=x&gt;">x</a>'
    assert text(tag("b", "&")) == "<b>&amp;</b>"
    assert isinstance(text("x"), Markup)


def test_control_characters_are_shown() -> None:
    assert text("a\x00b\x1b[31m\u009b\udcff") == r"a\x00b\x1b[31m\x9b\xdcff"


def test_attributes() -> None:
    made = tag(
        "input", type="radio", checked=True, hidden=False, value=None, data_face=3, class_="a"
    )
    assert made == '<input type="radio" checked data-face="3" class="a"/>'
    assert tag("meta", name="x", content="y") == '<meta name="x" content="y"/>'


def test_children_are_unrolled() -> None:
    assert tag("ul", [tag("li", i) for i in range(2)], None, "<") == (
        "<ul><li>0</li><li>1</li>&lt;</ul>"
    )


def test_names_and_tables_and_facts() -> None:
    assert name("a<b/c.jpg") == '<bdi class="name">a&lt;b/<wbr>c.jpg</bdi>'
    made = table(("file", "n"), [("<i>", 3)], "all <b>", numbers=(1,), sortable=True)
    assert '<th scope="row">&lt;i&gt;</th><td class="n">3</td>' in made
    assert "<caption>all &lt;b&gt;</caption>" in made
    assert facts([("<k>", "<v>")]) == ("<dl><div><dt>&lt;k&gt;</dt><dd>&lt;v&gt;</dd></div></dl>")


def test_data_cannot_end_its_script() -> None:
    made = data({"a": "</script><script>alert(1)"}, "values")
    assert made.count("<") == 2
    assert "\\u003c/script>" in made
