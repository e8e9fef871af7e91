"""What to run: the sweep file, its rows, and the unique stages behind them."""
