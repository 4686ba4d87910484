"""The tools of the Market desk: weather by city, prices by ticker or company name. All from small bundled tables."""

from __future__ import annotations

from pathlib import Path

from lib.teams.sample_data import Row, find_row, listed, load_rows, sample_tool

DATA = Path(__file__).parent / "data"
WEATHER = load_rows(DATA / "weather.csv")
PRICES = load_rows(DATA / "prices.csv")

MAX_FORECAST_DAYS = 7
MAX_HISTORY_DAYS = 10


@sample_tool
def get_weather(city: str) -> str:
    """Get today's weather in a city.

    Args:
        city: Name of the city, for example Paris.
    """
    today = find_row(WEATHER, city, "city")
    return _unknown_city(city) if today is None else f"{_first(today['city'])} today: {_sky(today)}"


@sample_tool
def get_forecast(city: str, days: int = 3) -> str:
    """Get the weather forecast for a city, day by day.

    Args:
        city: Name of the city, for example Paris.
        days: How many days to look ahead, 1 to 7.
    """
    today = find_row(WEATHER, city, "city")
    if today is None:
        return _unknown_city(city)
    ahead = min(max(int(days), 1), MAX_FORECAST_DAYS)
    week = [row for row in WEATHER if row["city"] == today["city"]]
    lines = [f"day {row['day']}: {_sky(row)}" for row in week[:ahead]]
    return f"{_first(today['city'])}, the next {ahead} days (day 0 is today): " + " ".join(lines)


@sample_tool
def get_price(ticker: str) -> str:
    """Get the latest price of a share.

    Args:
        ticker: Ticker symbol or company name, for example ACME or Apple.
    """
    quotes = _quotes(ticker)
    if not quotes:
        return _unknown_company(ticker)
    latest, before = quotes[-1], quotes[-2]
    return f"{_title(latest)} closed at {_price(latest)} on {latest['date']}, {_change(before, latest)} on the day."


@sample_tool
def get_price_history(ticker: str, days: int = 5) -> str:
    """Get the closing prices of a share over the last trading days.

    Args:
        ticker: Ticker symbol or company name, for example ACME or Apple.
        days: How many trading days to look back, 2 to 10.
    """
    quotes = _quotes(ticker)
    if not quotes:
        return _unknown_company(ticker)
    chosen = quotes[-min(max(int(days), 2), MAX_HISTORY_DAYS) :]
    closes = ", ".join(f"{quote['date']} {_price(quote)}" for quote in chosen)
    return f"{_title(chosen[0])}, last {len(chosen)} trading days: {closes}; {_change(chosen[0], chosen[-1])} overall."


@sample_tool
def compare_prices(first_ticker: str, second_ticker: str) -> str:
    """Compare how two shares moved over the last ten trading days.

    Args:
        first_ticker: Ticker symbol or company name of the first share.
        second_ticker: Ticker symbol or company name of the second share.
    """
    both = [_quotes(first_ticker), _quotes(second_ticker)]
    for name, quotes in zip((first_ticker, second_ticker), both, strict=True):
        if not quotes:
            return _unknown_company(name)
    moves = " and ".join(f"{_title(quotes[-1])} moved {_change(quotes[0], quotes[-1])}" for quotes in both)
    return f"Over the last {len(both[0])} trading days {moves}."


def _quotes(name: str) -> list[Row]:
    found = find_row(PRICES, name.strip().lstrip("$"), "ticker", "company")
    return [] if found is None else [row for row in PRICES if row["ticker"] == found["ticker"]]


def _first(names: str) -> str:
    return names.split("|", maxsplit=1)[0]


def _sky(day: Row) -> str:
    return (
        f"{day['sky']}, {day['low_c']} to {day['high_c']} °C, {day['rain_percent']} % chance of rain, "
        f"wind {day['wind_kmh']} km/h."
    )


def _title(quote: Row) -> str:
    return f"{_first(quote['company'])} ({quote['ticker']})"


def _price(quote: Row) -> str:
    return f"{quote['close']} {quote['currency']}"


def _change(before: Row, after: Row) -> str:
    change = (float(after["close"]) / float(before["close"]) - 1) * 100
    return f"{change:+.1f} %"


def _unknown_city(city: str) -> str:
    known = ", ".join(dict.fromkeys(_first(row["city"]) for row in WEATHER))
    return f"There is no weather for {city!r}. Cities with weather: {known}."


def _unknown_company(name: str) -> str:
    return f"There is no price for {name!r}. Tickers with prices: {listed(PRICES, 'ticker')}."
