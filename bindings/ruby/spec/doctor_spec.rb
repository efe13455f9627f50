# frozen_string_literal: true

require 'timeout'

RSpec.describe Flagstore::Store do
  def doctor(**options)
    described_class.doctor(**{ table: TABLE, prefix: prefix, **endpoint.options }, **options)
  end

  def finding(report, check)
    report.findings.find { |one| one.check == check }
  end

  describe '.doctor' do
    it 'has no problem with a table that is in order' do
      store.init('features' => [Flagstore::Item.new(key: 'flag', version: 1, item: '{"key":"flag","version":1}')],
                 'segments' => [])
      report = doctor
      expect([report.problems, report.warnings, report.findings.map(&:level).uniq]).to eq [0, 0, [:ok]]
      expect(finding(report, 'features')).to have_attributes(found: start_with('1 row'), remedy: nil)
      expect(report.inspect).not_to include SECRET
    end

    it 'names a table that is missing, with a remedy' do
      report = doctor(table: 'no-such-table')
      expect(report.problems).to eq 1
      expect(finding(report, 'table'))
        .to have_attributes(level: :problem, found: include('no-such-table'), remedy: be_a(String))
    end

    it 'refuses an option that is unknown' do
      expect { doctor(tabel: 'flags') }.to raise_error(Flagstore::OptionError, /tabel/)
    end

    it 'refuses a value that is no option, without a thread' do
      expect { doctor(region: []) }.to raise_error(TypeError, /region/)
    end

    # A server that takes connections and says nothing.
    it 'lets other threads run, and Timeout end the waiting' do
      silent = TCPServer.new('127.0.0.1', 0)
      waiting = Thread.new do
        Thread.current.report_on_exception = false
        Timeout.timeout(600) { doctor(endpoint: "http://127.0.0.1:#{silent.addr[1]}", timeout_ms: 2_000) }
      end
      asked = silent.accept
      expect(waiting).to be_alive
      waiting.raise(Timeout::Error)
      expect { waiting.value }.to raise_error(Timeout::Error)
      asked.close
    ensure
      silent&.close
    end
  end
end
