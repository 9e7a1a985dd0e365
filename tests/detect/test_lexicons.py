"""Every entry of the lexicons can be reached by a message: none is misspelt, shadowed or folded away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataflow.detect import Detector
from dataflow.detect.context import near
from dataflow.detect.data import by_language, table, words
from dataflow.detect.lexicon import COMMON, PUBLIC_ACCOUNTS, ROLES, compound, languages
from dataflow.detect.masks import masked
from dataflow.detect.normalise import fold
from dataflow.detect.numbering import Reader
from dataflow.detect.numerals import AMBIGUOUS, PROSE
from dataflow.detect.platforms import PLATFORMS as COMPILED
from dataflow.detect.platforms import named
from dataflow.detect.roles import NAME, ORDINARY
from dataflow.detect.shapes import inflected, shape, told
from dataflow.detect.tokens import tokens

DETECTOR = Detector()
PLATFORMS = table("platforms.toml")
NUMBERS = table("numbers.toml")
PHONES = table("phone_context.toml")
HANDLES = table("handle_context.toml")
PHRASES = table("phrases.toml")


def handles(text: str) -> list[tuple[str | None, str]]:
    (found,) = DETECTOR.detect([text])
    return [(contact.platform, contact.value) for contact in found if contact.kind == "handle"]


def phones(text: str) -> list[str]:
    (found,) = DETECTOR.detect([text])
    return [contact.value for contact in found if contact.kind == "phone"]


def of_platforms(*keys: str) -> list[tuple[str, str]]:
    return [
        (platform, entry)
        for platform, entries in PLATFORMS.items()
        for key in keys
        for entry in entries.get(key, ())
    ]


def listed(lexicon: dict[str, dict[str, str]], *concepts: str) -> list[tuple[str, str]]:
    return [
        (concept, word) for concept in concepts for text in lexicon[concept].values() for word in text.split()
    ]


@pytest.mark.parametrize(("platform", "name"), of_platforms("names", "phrases", "emoji"))
def test_a_platforms_name_binds_a_handle(platform: str, name: str) -> None:
    value = "luna_moon42@" if platform == "email" else "luna_moon42"
    ((found, handle),) = handles(f"add me, my {name} is luna_moon42")
    assert found == platform
    assert handle.startswith(value)


@pytest.mark.parametrize(("platform", "word"), of_platforms("words", "pointed"))
def test_a_word_that_may_be_a_platform_binds_a_handle_after_a_colon(platform: str, word: str) -> None:
    ((found, _),) = handles(f"{word}: luna_moon42")
    assert found == platform


@pytest.mark.parametrize(("platform", "domain"), of_platforms("domains"))
def test_a_profile_address_is_a_handle(platform: str, domain: str) -> None:
    slash = "" if domain[-1] in "@~$" else "/"
    assert handles(f"see {domain}{slash}luna_moon42") == [(platform, "luna_moon42")]


def numerals() -> Iterator[tuple[str, str, str]]:
    for language, entries in NUMBERS.items():
        if language == "signs":
            continue
        for key in ("digits", "weak"):
            for digit, alternatives in enumerate(entries.get(key, ())):
                for word in filter(None, alternatives.split("/")):
                    yield language, word, str(digit)
        for key in ("more", "tens", "hundreds"):
            for word, number in entries.get(key, {}).items():
                yield language, word, str(number)


@pytest.mark.parametrize(("_", "word", "digits"), list(numerals()))
def test_a_number_word_spells_its_digits_in_a_phone_number(_: str, word: str, digits: str) -> None:
    said = "4155550123"[: 8 - len(digits)]
    apart = " ".join(said)
    allowed = {digits, *AMBIGUOUS.get(fold(word), {}).values()}
    found = phones(f"call me {apart} {word} 03")
    assert found in [[f"+1{said}{each}03"] for each in allowed if len(each) == len(digits)] or (
        len({*map(len, allowed)}) > 1
    )


@pytest.mark.parametrize(
    "language", ["en", "es", "fr", "de", "pt", "it", "nl", "tr", "ru", "hi", "hi_latn", "id", "pl"]
)
def test_each_main_language_has_all_ten_digits_and_its_teens(language: str) -> None:
    entries = NUMBERS[language]
    weak = entries.get("weak", [""] * 10)
    assert all(strong or other for strong, other in zip(entries["digits"], weak, strict=True))
    teens = {
        number for key in ("more", "tens") for number in entries.get(key, {}).values() if 10 <= number < 20
    }
    assert len(teens) >= 9 or "suffixes" in entries


@pytest.mark.parametrize(("sign", "word"), [(s, w) for s, ws in NUMBERS["signs"].items() for w in ws])
def test_a_sign_among_number_words_changes_what_they_spell(sign: str, word: str) -> None:
    texts = {
        "twice": f"call me 4 1 {word} 5 5 5 0 1 2 3",
        "thrice": f"call me 4 1 {word} 5 5 0 1 2 3",
        "between": f"call me 415 {word} 555 {word} 0123",
        "plus": f"call me {word} 1 415 555 0123",
        "counted": f"call me 415 then 555, {word} four 0123",
        "hundred": f"call me 415 555 two {word} 3",
        "thousand": f"call me 415 555 two {word}",
    }
    values = {"hundred": "+14155552003", "thousand": "+14155552000"}
    assert phones(texts[sign]) == [values.get(sign, "+14155550123")]


@pytest.mark.parametrize(("_", "word"), listed(PHONES, "contact"))
def test_a_contact_word_says_that_a_number_is_for_calling(_: str, word: str) -> None:
    t = tokens(fold(f"{word} 4155550123"))
    assert near(t, len(t.words) - 1, len(t.words)) == "contact"


@pytest.mark.parametrize(("_", "word"), listed(PHONES, "other"))
def test_another_word_says_that_a_number_is_something_else(_: str, word: str) -> None:
    assert phones(f"{word} 415-555-0123") == []


@pytest.mark.parametrize(("_", "word"), listed(PHONES, "reverse"))
def test_a_reversed_number_is_read_from_its_end(_: str, word: str) -> None:
    assert phones(f"{word} 3210555514") == ["+14155550123"]


@pytest.mark.parametrize(
    ("_", "word"),
    [
        *listed(
            HANDLES,
            "label",
            "copula",
            "filler",
            "give",
            "on",
            "others",
            "theirs",
            "credit",
            "public",
            "own",
            "am",
            "me",
            "announce",
            "dot",
            "at",
            "underscore",
            "slash",
        ),
        *listed(PHONES, "local"),
    ],
)
def test_a_context_word_is_one_word_of_a_text(_: str, word: str) -> None:
    said = fold(word).split("_")
    assert list(tokens(" ".join(["x", *said, "x"])).words) == ["x", *said, "x"]


@pytest.mark.parametrize(("_", "word"), listed(HANDLES, "underscore"))
def test_an_underscore_in_words_is_one(_: str, word: str) -> None:
    assert handles(f"my insta: luna {word.replace('_', ' ')} moon") == [("instagram", "luna_moon")]


@pytest.mark.parametrize("word", HANDLES["some"]["invites"].split())
def test_an_invitation_gives_a_chosen_name_without_a_platform(word: str) -> None:
    assert handles(f"{word} luna_moon42") == [(None, "luna_moon42")]


@pytest.mark.parametrize(("platform", "site"), of_platforms("sites"))
def test_a_site_s_address_holds_the_handle_before_it(platform: str, site: str) -> None:
    assert handles(f"lunamoon.{site}") == [(platform, "lunamoon")]


@pytest.mark.parametrize(("letter", "digit"), [*table("lookalikes.toml")["figures"].items()])
def test_a_letter_that_looks_like_a_digit_is_one_among_digits(letter: str, digit: str) -> None:
    assert fold(f"4{letter}о7") == f"4{digit}07"


@pytest.mark.parametrize(
    ("table_name", "words_"),
    [(name, PHONES[name]) for name in ("generic", "service", "yours", "counts")],
)
def test_a_plain_list_of_words_holds_words(table_name: str, words_: str) -> None:
    for word in words_.split():
        assert list(tokens(fold(word)).words) == [fold(word)], table_name
    assert len({*words_.split()}) == len(words_.split()), table_name


@pytest.mark.parametrize("word", PHONES["dividers"].split())
def test_a_word_may_divide_a_number_s_figures(word: str) -> None:
    assert phones(f"2{word}0{word}2{word}5{word}5{word}5{word}0{word}1{word}4{word}3") == ["+12025550143"]


@pytest.mark.parametrize("word", PHONES["attached"].split())
def test_a_number_ends_at_a_word_that_is_glued_to_it(word: str) -> None:
    assert phones(f"202-555-0143{word}4") == ["+12025550143"]


@pytest.mark.parametrize("word", PHONES["currencies"].split())
def test_a_number_before_a_currency_is_a_price(word: str) -> None:
    assert phones(f"415 555 0123 {word}") == []


@pytest.mark.parametrize("word", PHONES["counts"].split())
def test_seven_digits_that_count_are_no_number(word: str) -> None:
    assert phones("text: it is 5550123") == ["5550123"]
    assert phones(f"text: it {word} 5550123") == []


@pytest.mark.parametrize("ending", PHONES["compounds"].split())
def test_a_word_put_together_says_that_a_number_is_something_else(ending: str) -> None:
    assert phones(f"vertrags{ending} 415-555-0123") == []


@pytest.mark.parametrize(("language", "countries"), PHONES["regions"].items())
def test_a_language_s_countries_are_looked_in(language: str, countries: list[str]) -> None:
    said = [*PHONES["contact"].get(language, "").split(), *PROSE.get(language, ())]
    assert language == "en" or any(languages([fold(word)])[0] == language for word in said)
    assert all(map(DETECTOR.knows, countries))


@pytest.mark.parametrize(("prefix", "size"), PHONES["fiction"].items())
def test_a_number_of_fiction_is_valid(prefix: str, size: int) -> None:
    number = prefix + "2015550123"[-(size - len(prefix)) :]
    assert Reader("US").valid(f"+{number}", None)


@pytest.mark.parametrize(("country", "size"), PHONES["iban"].items())
def test_an_account_s_number_is_none_of_a_phone(country: str, size: int) -> None:
    number = f"{country}49{'4155550123' * 3}"[:size]
    assert masked(tokens(number)) == [(0, size, "iban")]


@pytest.mark.parametrize("phrase", PHRASES["anywhere"])
def test_a_phrase_announces_a_handle_without_a_platform(phrase: str) -> None:
    assert handles(f"{phrase} luna_moon42") == [(None, "luna_moon42")]


@pytest.mark.parametrize("service", PHRASES["mail"])
def test_a_mail_service_may_stand_without_its_ending(service: str) -> None:
    assert handles(f"luna_moon at {service}") == [("email", f"luna_moon@{service}.com")]


@pytest.mark.parametrize("apart", PHRASES["mail_apart"])
def test_a_mail_service_s_name_may_be_taken_apart(apart: str) -> None:
    service = apart.replace(" ", "")
    assert handles(f"luna_moon at {apart} dot com") == [("email", f"luna_moon@{service}.com")]


@pytest.mark.parametrize("insert", PHRASES["inserts"])
def test_what_is_put_into_an_address_is_taken_out(insert: str) -> None:
    assert handles(f"luna_moon@gmail{insert.replace(' ', '')}.com") == [("email", "luna_moon@gmail.com")]


@pytest.mark.parametrize("box", PHRASES["mail_roles"] + PHRASES["mail_unread"])
def test_a_service_s_mailbox_is_no_contact(box: str) -> None:
    assert handles(f"write to {box}@example.com") == []


@pytest.mark.parametrize(("language", "endings"), PHRASES["inflections"].items())
def test_an_ending_makes_an_inflected_word(language: str, endings: str) -> None:
    assert all(inflected(f"qqqq{ending}", language) for ending in endings.split())
    assert language == "en" or any(languages([word])[0] == language for word in PROSE[language])


@pytest.mark.parametrize(("language", "endings"), PHRASES["told"].items())
def test_a_pronoun_glued_on_makes_a_word_of_the_sentence(language: str, endings: str) -> None:
    on = HANDLES["on"][language].split()[0]
    assert all(told(f"qqqq{ending}", on) for ending in endings.split())


@pytest.mark.parametrize(("language", "pronouns"), PHRASES["pronouns"].items())
def test_a_word_of_a_language_with_a_pronoun_glued_on_is_one_of_the_sentence(
    language: str, pronouns: str
) -> None:
    on = HANDLES["on"][language].split()[0]
    verb = {"es": "busca", "it": "cerca"}[language]
    assert all(told(verb + pronoun, on) for pronoun in pronouns.split())


@pytest.mark.parametrize(
    ("base", "ending"), [(base, e) for base, text in PHRASES["playful"].items() for e in text.split()]
)
def test_a_playful_ending_names_the_platform(base: str, ending: str) -> None:
    plain, playful = named(base), named(base + ending)
    assert plain
    assert playful == (plain[0], True)


@pytest.mark.parametrize(
    ("letter", "said"),
    [
        (letter, said)
        for kind in ("names", "weak")
        for letter, text in PHRASES["letters"][kind].items()
        for said in text.split()
    ],
)
def test_a_letter_may_be_spelled_by_its_name(letter: str, said: str) -> None:
    spelled = said.split("_")
    assert any(
        letter in short and any(spelled == list(phrase[i : i + len(spelled)]) for i in range(len(phrase)))
        for platform, short in of_platforms("letters")
        for phrase, name in COMPILED.phrases.items()
        if name == platform
    )


@pytest.mark.parametrize(("platform", "short"), of_platforms("letters"))
def test_a_short_name_may_be_spelled(platform: str, short: str) -> None:
    spelled = " ".join([PHRASES["letters"]["names"][letter].split()[0].replace("_", " ") for letter in short])
    assert handles(f"my {spelled} is luna_moon42") == [(platform, "luna_moon42")]


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        (platform, f"{a} {b}".replace("_", " "))
        for platform, entries in PLATFORMS.items()
        if "halves" in entries
        for a in entries["halves"][0].split()
        for b in entries["halves"][1].split()
    ],
)
def test_two_halves_are_a_platforms_name(platform: str, name: str) -> None:
    assert COMPILED.phrases[tuple(name.split())] == platform
    assert list(tokens(name).words) == name.split()


@pytest.mark.parametrize("ending", PHRASES["endings_of_domains"])
def test_an_ending_makes_an_address_in_words(ending: str) -> None:
    assert handles(f"luna_moon at example dot {ending}") == [("email", f"luna_moon@example.{ending}")]


@pytest.mark.parametrize("part", PHRASES["path_veto"])
def test_a_part_of_an_address_that_is_no_profile_is_vetoed(part: str) -> None:
    assert handles(f"instagram.com/{part}") == []


@pytest.mark.parametrize("word", PHRASES["tagged"])
def test_a_word_before_a_hash_and_four_digits_is_no_discord_name(word: str) -> None:
    assert handles(f"{word}#1234") == []


@pytest.mark.parametrize("name", HANDLES["some"])
def test_a_small_list_holds_words_of_texts(name: str) -> None:
    for word in HANDLES["some"][name].split():
        assert list(tokens(fold(word)).words) == [fold(word)]


@pytest.mark.parametrize("unit", PHRASES["units"])
def test_a_measure_is_no_chosen_name(unit: str) -> None:
    assert shape(f"420{unit}", False) < 0


@pytest.mark.parametrize("form", PHRASES["short_forms"])
def test_a_short_form_with_a_figure_is_no_chosen_name(form: str) -> None:
    assert shape(form, False) < 0


@pytest.mark.parametrize("ending", PHRASES["endings"])
def test_an_ending_may_be_glued_to_a_platforms_name(ending: str) -> None:
    assert handles(f"instagram{ending}: luna_moon42") == [("instagram", "luna_moon42")]


@pytest.mark.parametrize("account", sorted(PUBLIC_ACCOUNTS))
def test_an_account_that_everybody_knows_is_no_contact(account: str) -> None:
    assert handles(f"my favourite on instagram is @{account}") == []


def test_names_words_and_glue_play_their_roles() -> None:
    assert all(ROLES[name] & NAME for name in words("names.txt"))
    assert all(ROLES[word] & ORDINARY for word in words("words_en.txt"))
    for listed in (
        *by_language("words_world.txt").values(),
        *map(str.split, table("words_chat.toml").values()),
    ):
        assert all(ROLES[word] & ORDINARY for word in listed)
    assert words("words_common.txt") <= COMMON
    assert all(compound(f"{glue}otter") for glue in words("glue.txt"))


@pytest.mark.parametrize(("char", "plain"), [*table("lookalikes.toml")["always"].items()])
def test_a_look_alike_is_folded_everywhere(char: str, plain: str) -> None:
    assert fold(char) == plain


@pytest.mark.parametrize(
    ("char", "plain"),
    [*table("lookalikes.toml")["mixed"].items(), *table("lookalikes.toml")["loose"].items()],
)
def test_a_look_alike_is_folded_inside_a_latin_word(char: str, plain: str) -> None:
    assert fold(f"q{char}q") == f"q{plain}q"


@pytest.mark.parametrize(("char", "plain"), [*table("lookalikes.toml")["cyrillic"].items()])
def test_a_latin_letter_is_folded_inside_a_cyrillic_word(char: str, plain: str) -> None:
    assert fold(f"ж{char}ж") == f"ж{plain}ж"
